"use strict";
/* The report: filters over all portraits, pictures of those on the page, charts. */
(() => {
  const { el, frame, facts, panels, enlarge, items } = Page;
  const table = DATA.portraits, UNKNOWN = 65535, STEPS = 10000, AT_ONCE = 60;
  const FILL = { candidate: "var(--good-fill)", review: "var(--doubt-fill)", rejected: "var(--bad-fill)" };

  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  }
  function column(packed) {
    const Numbers = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[packed.bytes];
    return { ...packed, rows: new Numbers(bytes(packed.rows)) };
  }
  const columns = Object.fromEntries(Object.entries(table.columns).map(([name, packed]) => [name, column(packed)]));
  const doubt = new Uint16Array(bytes(table.doubt));
  const words = (name, row) => columns[name].sets[columns[name].rows[row]].map((word) => columns[name].words[word]);
  const doubtOf = (row) => (doubt[row] === UNKNOWN ? null : doubt[row] / STEPS);
  const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
  const number = (value) => value.toLocaleString("en-US");

  /* What is said of a picture: of a portrait, or of a test picture of a round. */
  function describe(place) {
    const item = items[place];
    if (item.row === null) {
      return {
        title: item.id === null ? "A test picture" : `Portrait ${item.id}`,
        rows: [["IoU before", percent(item.before)], ["IoU after", percent(item.after)]],
      };
    }
    const row = item.row;
    return {
      title: `Portrait ${item.id}`,
      rows: [
        ["verdict", words("verdict", row).join(", ")],
        ["reasons", words("reasons", row).join(", ")],
        ["trust", words("standing", row).join(", ")],
        ["doubt", percent(doubtOf(row))],
        ["mask by", words("source", row).join(", ")],
        ["file", item.file],
        ["licence", item.licence],
        ["kind", words("slices", row).join("; ")],
        ["rounds", words("rounds", row).join(", ")],
        ...item.said.map((line) => ["said", line]),
      ],
    };
  }

  const inspector = document.getElementById("inspector");
  function inspect(place) {
    if (!inspector) return;
    const { title, rows } = describe(place);
    inspector.replaceChildren(el("h4", {}, title), panels(place), facts(rows));
  }

  function tile(place, places, kind) {
    const item = items[place], verdict = item.row === null ? "" : words("verdict", item.row)[0] || "no mask";
    const share = item.row === null ? percent(item.after) : percent(doubtOf(item.row));
    const hidden = (text) => el("span", { class: "hidden" }, text);
    const caption = item.row === null
      ? el("span", { class: "caption" }, hidden("Test picture, IoU before and after: "), el("span", {}, `${percent(item.before)} → ${percent(item.after)}`))
      : el("span", { class: "caption" }, hidden(`Portrait ${item.id}: `), el("span", { class: `verdict ${verdict}` }, verdict), hidden(", doubt "),
        el("span", {}, share), hidden(`, ${words("standing", item.row)[0]}`));
    return el("button", {
      type: "button", class: "tile", "data-place": place,
      on: {
        click: () => enlarge(places, places.indexOf(place), describe),
        mouseenter: () => inspect(place),
        focus: () => inspect(place),
      },
    }, frame(place, kind), caption);
  }

  function strip(id, places, kind) {
    const holder = document.getElementById(id);
    if (holder) holder.replaceChildren(...places.map((place) => tile(place, places, kind)));
  }
  strip("doubtful", DATA.doubtful, "outline");
  strip("confident", DATA.confident, "outline");
  strip("worst", DATA.worst, "outline");
  const groups = document.getElementById("groups");
  if (groups) {
    for (const { photos, places } of DATA.groups) {
      const row = el("div", { class: "group-row" }, ...places.map((place) => tile(place, places, "picture")));
      groups.append(el("div", {}, el("h3", {}, `${number(photos)} photos`), row));
    }
  }

  /* Filters: counted over all portraits, shown of those whose picture is on the page. */
  const form = document.getElementById("filters");
  if (form) {
    const selects = [...form.querySelectorAll("select[data-column]")];
    for (const select of selects) {
      const { words: known, sets, rows } = columns[select.dataset.column];
      const of_set = new Float64Array(sets.length);
      for (const each of rows) of_set[each] += 1;
      const counts = new Map();
      sets.forEach((set, at) => set.forEach((word) => counts.set(word, (counts.get(word) || 0) + of_set[at])));
      select.append(el("option", { value: "" }, "any"));
      known.forEach((word, at) => select.append(el("option", { value: at }, `${word} (${number(counts.get(at) || 0)})`)));
      if (!known.length) select.disabled = true;
    }
    const low = document.getElementById("f-low"), high = document.getElementById("f-high");
    const order = document.getElementById("f-order"), kind = document.getElementById("f-show");
    const grid = document.getElementById("grid"), more = document.getElementById("more");
    const placeOf = new Map();
    items.forEach((item, place) => { if (item.row !== null) placeOf.set(item.row, place); });
    let found = [], shown = 0;

    function matching() {
      const wanted = selects.filter((select) => select.value !== "").map((select) => {
        const { sets, rows } = columns[select.dataset.column], word = Number(select.value);
        const inside = sets.map((set) => set.includes(word));
        return (row) => inside[rows[row]];
      });
      const [least, most] = [low.value, high.value].map((text) => (text === "" ? null : STEPS * Number(text) / 100));
      if (least !== null) wanted.push((row) => doubt[row] !== UNKNOWN && doubt[row] >= least);
      if (most !== null) wanted.push((row) => doubt[row] !== UNKNOWN && doubt[row] <= most);
      const rows = [];
      for (let row = 0; row < doubt.length; row += 1) if (wanted.every((holds) => holds(row))) rows.push(row);
      return rows;
    }

    function next() {
      const until = Math.min(found.length, shown + AT_ONCE);
      for (; shown < until; shown += 1) grid.append(tile(found[shown], found, kind.value));
      more.hidden = shown === found.length;
    }

    function update() {
      const rows = matching();
      found = rows.filter((row) => placeOf.has(row)).map((row) => placeOf.get(row));
      const by = (place) => doubtOf(items[place].row);
      const last = (value, otherwise) => (value === null ? otherwise : value);
      if (order.value === "doubtful") found.sort((a, b) => last(by(b), -1) - last(by(a), -1));
      if (order.value === "confident") found.sort((a, b) => last(by(a), 2) - last(by(b), 2));
      document.getElementById("count").textContent =
        `${number(rows.length)} of ${number(doubt.length)} portraits match; pictures of ${number(found.length)} of them are on this page.`;
      grid.dataset.show = kind.value;
      grid.replaceChildren();
      shown = 0;
      next();
      histogram(rows);
    }

    /* Most doubts are small: the limits grow by twos and fives. */
    const LIMITS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
    const NAMES = LIMITS.map((limit, at) => (at ? `${100 * LIMITS[at - 1]}–${100 * limit} %` : `0–${100 * limit} %`));
    function histogram(rows) {
      const verdicts = Object.keys(FILL), counts = new Map();
      for (const row of rows) {
        if (doubt[row] === UNKNOWN) continue;
        const share = doubt[row] / STEPS, bin = LIMITS.findIndex((limit) => share <= limit);
        const key = `${bin} ${words("verdict", row)[0]}`;
        counts.set(key, (counts.get(key) || 0) + 1);
      }
      const bars = [...counts].map(([key, count]) => {
        const [bin, verdict] = key.split(" ");
        return { doubt: NAMES[Number(bin)], verdict, portraits: count };
      });
      document.getElementById("histogram-figure").hidden = !bars.length;
      if (!bars.length) return;
      put(document.getElementById("histogram"), "Portraits that match by doubt and verdict", (width) => ({
        height: 190, marginLeft: 55, marginBottom: width < 600 ? 70 : 35,
        x: { domain: NAMES, label: null, tickRotate: width < 600 ? -45 : 0 },
        y: { grid: true, label: "portraits", ticks: 4 },
        color: { legend: true, domain: verdicts, range: Object.values(FILL) },
        marks: [
          Plot.barY(bars, { x: "doubt", y: "portraits", fill: "verdict", order: verdicts, title: (bar) => `${bar.verdict}, doubt ${bar.doubt}: ${number(bar.portraits)}`, tip: true }),
          Plot.ruleY([0]),
        ],
      }));
    }

    form.addEventListener("input", update);
    form.addEventListener("reset", () => setTimeout(update));
    form.addEventListener("submit", (event) => event.preventDefault());
    more.addEventListener("click", next);
    for (const button of document.querySelectorAll("button[data-filter]")) {
      button.addEventListener("click", () => {
        const select = form.querySelector(`select[data-column="${button.dataset.filter}"]`);
        form.reset();
        const at = columns[button.dataset.filter].words.indexOf(button.dataset.word);
        select.value = at < 0 ? "" : String(at);
        update();
        document.getElementById("browse-title").scrollIntoView();
        select.focus({ preventScroll: true });
      });
    }
    update();
  }

  /* Charts. Plot puts a style element into each, which the page's policy would refuse and page.css
     replaces. */
  function put(holder, label, options) {
    if (!holder) return;
    const width = Math.max(300, Math.min(1140, holder.clientWidth || 760));
    const made = Plot.plot({
      width, className: "plot", style: { background: "none", color: "var(--ink)", fontSize: "12px" }, ...options(width),
    });
    for (const style of made.querySelectorAll("style")) style.remove();
    const drawings = made.matches("svg") ? [made] : [...made.querySelectorAll("svg")];
    for (const svg of drawings) {
      for (const part of svg.querySelectorAll("[aria-label], [aria-description]")) {
        part.removeAttribute("aria-label");
        part.removeAttribute("aria-description");
      }
      // The last is the chart, those before it are a legend's.
      if (svg === drawings[drawings.length - 1]) {
        svg.setAttribute("role", "img");
        svg.setAttribute("aria-label", label);
      } else svg.setAttribute("aria-hidden", "true");
    }
    holder.replaceChildren(made);
  }

  function intervals(holder, label, rows) {
    const known = rows.filter((row) => row.shown);
    const figure = holder && holder.closest("figure");
    if (figure) figure.hidden = !known.length;
    if (!known.length) return;
    put(holder, label, (width) => ({
      marginLeft: width < 600 ? 165 : 210, height: 40 + 24 * known.length,
      x: { domain: [0, Math.min(1, 1.05 * Math.max(0.05, ...known.map((row) => row.high)))], tickFormat: "%", grid: true, label: null, ticks: width < 600 ? 3 : 8 },
      y: { label: null, domain: known.map((row) => row.name) },
      marks: [
        Plot.ruleY(known, { y: "name", x1: "low", x2: "high", stroke: "var(--plain-fill)", strokeWidth: 3 }),
        Plot.dot(known, { y: "name", x: (row) => row.errors / row.shown, fill: "var(--ink)", r: 4,
          title: (row) => `${row.errors} of ${row.shown}`, tip: true }),
      ],
    }));
  }
  intervals(document.getElementById("slices-chart"), "Share of bad masks by slice", DATA.charts.slices);
  intervals(document.getElementById("errors"), "Spoilt masks that were missed, by reviewer", DATA.charts.errors);

  const rounds = DATA.charts.rounds;
  const curve = document.getElementById("rounds-chart");
  if (curve) {
    if (!rounds.length) curve.closest("figure").hidden = true;
    else {
      const said = (run) => `round ${run.round}: ${run.measure} ${(100 * run.value).toFixed(2)}${run.promoted ? ", promoted" : ""}`;
      put(curve, "Scores by round", () => ({
        height: 260, marginLeft: 50, x: { type: "point", label: "round" },
        y: { grid: true, tickFormat: "%", label: null, nice: true },
        color: { legend: true, domain: ["native IoU", "boundary F1"], range: ["var(--plain-fill)", "var(--doubt-fill)"] },
        marks: [
          Plot.line(rounds, { x: "round", y: "value", stroke: "measure", z: "measure" }),
          Plot.ruleX(rounds, { x: "round", y1: "low", y2: "high", stroke: "measure", strokeWidth: 2 }),
          Plot.dot(rounds, { x: "round", y: "value", stroke: "measure", fill: "var(--paper)", r: 5, z: "measure", title: said, tip: true }),
          Plot.dot(rounds.filter((run) => run.promoted), { x: "round", y: "value", fill: "measure", r: 5, z: "measure" }),
        ],
      }));
    }
  }
  for (const holder of document.querySelectorAll(".drift-chart")) {
    const signals = DATA.charts.drift[Number(holder.dataset.round)].slice(0, 12);
    put(holder, "Distance by signal", (width) => ({
      marginLeft: width < 600 ? 150 : 190, height: 40 + 24 * signals.length, x: { domain: [0, 1], grid: true, label: null },
      y: { label: null, domain: signals.map((each) => each.signal) },
      marks: [Plot.barX(signals, { y: "signal", x: "distance", fill: (each) => (each.drifted ? "var(--bad-fill)" : "var(--plain-fill)"), insetTop: 3, insetBottom: 3 }), Plot.ruleX([0])],
    }));
  }
})();
