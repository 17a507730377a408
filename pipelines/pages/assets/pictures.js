"use strict";
/* Pictures of a page: cut out of sheets, with masks as outlines over them; one enlarged in a dialog.
   Text from outside is only ever set as text. */
const DATA = JSON.parse(document.getElementById("data").textContent);

const Page = (() => {
  const { sheets, probabilities, columns, per_sheet, cell, probability_cell, items } = DATA.pictures;
  const addresses = new Map();

  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
      else if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  function address(list, number) {
    const key = `${list === sheets ? "s" : "p"}${number}`;
    if (!addresses.has(key)) {
      const bytes = Uint8Array.from(atob(list[number]), (letter) => letter.charCodeAt(0));
      addresses.set(key, URL.createObjectURL(new Blob([bytes], { type: "image/webp" })));
    }
    return addresses.get(key);
  }

  /* A span that shows one cell of a sheet, as large as its frame allows. */
  function cut(list, place, [width, height], [cellWidth, cellHeight], rows) {
    const within = place % per_sheet, column = within % columns, row = Math.floor(within / columns);
    const span = el("span", { class: "picture" });
    const style = span.style;
    style.aspectRatio = `${width} / ${height}`;
    if (width / height > 3 / 4) style.width = "100%"; else style.height = "100%";
    style.backgroundImage = `url("${address(list, Math.floor(place / per_sheet))}")`;
    style.backgroundSize = `${(100 * columns * cellWidth) / width}% ${(100 * rows * cellHeight) / height}%`;
    style.backgroundPosition =
      `${(100 * column * cellWidth) / Math.max(1, columns * cellWidth - width)}% ` +
      `${(100 * row * cellHeight) / Math.max(1, rows * cellHeight - height)}%`;
    return span;
  }

  const rowsOf = (place, count) => Math.ceil(Math.min(per_sheet, count - per_sheet * Math.floor(place / per_sheet)) / columns);

  function outlines([width, height], paths, only) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-hidden", "true");
    const draw = (path, name) => {
      const made = document.createElementNS(space, "path");
      made.setAttribute("d", path);
      made.setAttribute("class", name);
      svg.append(made);
    };
    const wanted = (number) => only === undefined || only === number;
    paths.forEach((path, number) => { if (wanted(number)) draw(path, "dark-edge"); });
    paths.forEach((path, number) => { if (wanted(number)) draw(path, `outline outline-${number + 1}`); });
    return svg;
  }

  /* `only`: of several outlines this one. */
  function frame(place, kind, only) {
    const item = items[place];
    const holder = el("span", { class: "frame" });
    if (!item.there) {
      holder.append(el("span", { class: "gone" }, "cannot be read"));
    } else if (kind === "probability") {
      if (item.probability === null) holder.append(el("span", { class: "gone" }, "no probability"));
      else {
        holder.append(cut(probabilities, item.probability.place, item.probability.size, probability_cell,
          rowsOf(item.probability.place, DATA.pictures.probability_count)));
      }
    } else {
      const picture = cut(sheets, place, item.size, cell, rowsOf(place, items.length));
      if (kind !== "picture" && item.outlines.length) picture.append(outlines(item.size, item.outlines, only));
      holder.append(picture);
    }
    return holder;
  }

  function facts(rows) {
    const list = el("dl", { class: "facts" });
    for (const [name, value] of rows) if (value) list.append(el("dt", {}, name), el("dd", {}, value));
    return list;
  }

  function panels(place) {
    const shown = el("div", { class: "panels" });
    const kinds = [["picture", "picture"], ["outline", "outline of the mask"], ["probability", "probability"]];
    for (const [kind, words] of kinds) {
      const item = items[place];
      if (kind === "outline" && !item.outlines.length) continue;
      if (kind === "probability" && item.probability === null) continue;
      shown.append(el("figure", {}, el("figcaption", {}, words), frame(place, kind)));
    }
    return shown;
  }

  /* The dialog: a list of places to step through, and what is said of each. */
  const dialog = document.getElementById("detail");
  let list = [], at = 0, about = null;
  function enlarge(places, number, describe) {
    [list, at, about] = [places, number, describe];
    show();
    if (!dialog.open) dialog.showModal();
  }
  function show() {
    const place = list[at], { title, rows } = about(place);
    document.getElementById("detail-title").textContent = title;
    document.getElementById("detail-body").replaceChildren(panels(place), facts(rows));
    document.getElementById("previous").disabled = at === 0;
    document.getElementById("next").disabled = at === list.length - 1;
  }
  function step(by) {
    if (list[at + by] === undefined) return;
    at += by;
    show();
  }
  document.getElementById("previous").addEventListener("click", () => step(-1));
  document.getElementById("next").addEventListener("click", () => step(1));
  document.getElementById("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });

  return { el, frame, facts, panels, enlarge, items };
})();
