"use strict";
/* Changed masks side by side: the same picture with the mask before and the mask after. */
(() => {
  const { el, frame, enlarge, items } = Page;
  const holder = document.getElementById("changes"), more = document.getElementById("more");
  if (!holder) return;
  const AT_ONCE = 60, places = items.map((_, place) => place);
  const number = (value) => (value === null ? "" : value.toLocaleString("en-US"));
  const rows = (item) => [
    ["why", item.why],
    ["by", item.by],
    ["pixels that changed", number(item.pixels)],
    ["IoU of both", item.iou === null ? "" : item.iou.toFixed(3)],
    ["split", item.split],
  ];
  const describe = (place) => ({ title: items[place].name, rows: rows(items[place]) });
  function side(place, words, only) {
    const tile = el("button", { type: "button", class: "tile", on: { click: () => enlarge(places, place, describe) } },
      frame(place, "outline", only), el("span", { class: "caption" }, words, el("span", { class: "hidden" }, `: enlarge ${items[place].name}`)));
    return tile;
  }
  let shown = 0;
  function next() {
    const until = Math.min(places.length, shown + AT_ONCE);
    for (; shown < until; shown += 1) {
      holder.append(el("article", { class: "change" },
        el("div", { class: "sides" }, side(shown, "before", 0), side(shown, "after", 1)),
        Page.facts(rows(items[shown]))));
    }
    more.hidden = shown === places.length;
  }
  more.addEventListener("click", next);
  next();
})();
