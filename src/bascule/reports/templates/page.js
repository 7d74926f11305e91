// What moves on the page. Without this script all of it can still be read.
"use strict";

const all = (root, selector) => [...root.querySelectorAll(selector)];
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

function element(name, attributes = {}, text = "") {
  const svg = ["line", "circle", "rect", "g"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// --- sample grids: a slider through the epochs ---

for (const block of all(document, ".samples")) {
  const range = block.querySelector("input");
  if (!range) continue;
  const places = block.dataset.places.split(" ");
  const show = () => {
    const place = Number(range.value);
    block.querySelector("output").value = places[place];
    for (const grid of all(block, "[data-last]"))
      grid.hidden = place < Number(grid.dataset.first) || place > Number(grid.dataset.last);
  };
  block.querySelector("label").hidden = false;
  range.addEventListener("input", show);
  show();
}

// --- tables: a click on the head of a column sorts its rows ---

// What a cell sorts by: its first number ("0.33 [0.29, 0.38]"), or its text.
function sorted(rows, column, down) {
  const texts = new Map(rows.map((row) => [row, row.cells[column]?.textContent.trim() ?? ""]));
  const numbers = new Map(rows.map((row) => [row, parseFloat(texts.get(row).replace("−", "-"))]));
  const known = rows.filter((row) => texts.get(row) !== "");
  const numeric = known.length && known.every((row) => Number.isFinite(numbers.get(row)));
  const order = numeric ? (a, b) => numbers.get(a) - numbers.get(b)
    : (a, b) => texts.get(a).localeCompare(texts.get(b), undefined, { numeric: true });
  known.sort((a, b) => (down ? order(b, a) : order(a, b)));
  return [...known, ...rows.filter((row) => texts.get(row) === "")]; // empty cells stay below
}

for (const table of all(document, "main table")) {
  const [body, heads] = [table.tBodies[0], all(table, "thead th")];
  if (body.rows.length < 2) continue;
  const given = [...body.rows];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button", class: "sort" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => { // up, down, and as it was
      const was = head.ariaSort;
      const now = was === "ascending" ? "descending" : was === "descending" ? null : "ascending";
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = now;
      body.append(...(now ? sorted(given, column, now === "descending") : given));
    });
  });
}

// --- a picture enlarged, by whole pixels ---

const lightbox = document.querySelector(".lightbox");
for (const button of all(document, ".enlarge")) {
  button.disabled = false;
  button.addEventListener("click", () => {
    const [small, large] = [button.querySelector("img"), lightbox.querySelector("img")];
    const room = Math.min((innerWidth - 40) / small.naturalWidth, (innerHeight - 90) / small.naturalHeight);
    large.src = small.src;
    large.alt = small.alt;
    large.style.cssText = small.style.cssText;
    large.style.setProperty("--by", Math.max(2, Math.floor(room)));
    lightbox.querySelector("p").textContent = small.alt;
    lightbox.showModal();
  });
}
lightbox.addEventListener("click", (event) => {
  if (event.target === lightbox || event.target.tagName === "IMG") lightbox.close();
});

// --- curves: hide arms and seeds, read values, zoom ---

// The fields of comma-separated values, a list a line.
function parseCsv(text) {
  const lines = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\n]*))(,|\n|$)/g)) {
    lines.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\n") lines.push([]);
    if (end === "") break;
  }
  return lines.filter((line) => line.length > 1);
}

const rounded = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "–");

function plot(figure) {
  const arms = all(figure, ".keys button").map((button) => ({
    button, name: button.textContent, first: Number(button.dataset.first), on: true,
    colour: button.querySelector("line").style.stroke,
  }));
  const link = figure.querySelector(".csv").href;
  const [columns, ...rows] = parseCsv(decodeURIComponent(link.slice(link.indexOf(",") + 1)));
  const values = new Map(); // scalar -> arm -> seed -> epoch -> value
  const at = (map, key) => map.get(key) ?? map.set(key, new Map()).get(key);
  for (const [arm, seed, epoch, ...cells] of rows)
    cells.forEach((cell, k) => {
      if (cell !== "") at(at(at(values, columns[k + 3]), arm), seed).set(Number(epoch), Number(cell));
    });
  const seedsOf = (panel, arm) => values.get(panel.scalar)?.get(arm.name) ?? new Map();
  const seeds = [...new Set(rows.map((row) => row[1]))];
  const parts = { mean: true, range: true };
  for (const seed of seeds) parts["seed-" + seed] = true;

  const views = all(figure, "[data-panels]").map((root) => new View(root, arms));
  const panels = views[0].panels;
  const whole = panels[0].epochs;
  let zoom = whole;

  // Values of an arm at an epoch: of its seeds, and over all of them where all have one.
  function measured(panel, arm, epoch) {
    const of = [...seedsOf(panel, arm)].map(([seed, curve]) => [seed, curve.get(epoch)]);
    const known = of.map(([, value]) => value);
    if (epoch < arm.first || !of.length || known.includes(undefined)) return null;
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    return { seeds: new Map(of), mean, low: Math.min(...known), high: Math.max(...known) };
  }

  // The epoch nearest to x at which any shown arm was measured.
  function nearest(panel, x) {
    let best = null;
    for (const arm of arms.filter((a) => a.on))
      for (const curve of seedsOf(panel, arm).values())
        for (const epoch of curve.keys())
          if (epoch >= zoom[0] && epoch <= zoom[1] && epoch >= arm.first
            && (best === null || Math.abs(epoch - x) < Math.abs(best - x))) best = epoch;
    return best;
  }

  const readout = element("div", { class: "readout", role: "status" });
  readout.hidden = true;
  figure.append(readout);
  let cursor = null; // { panel, epoch }

  function read(place, x, y) {
    cursor = place;
    const shown = arms.filter((arm) => arm.on);
    for (const view of views) view.mark(place?.epoch, shown, (panel, arm) => parts.mean ? measured(panel, arm, place.epoch)?.mean : undefined);
    readout.hidden = !place;
    if (!place) return;
    const panel = panels[place.panel];
    const some = Object.keys(parts).filter((part) => parts[part] && part.startsWith("seed-")).map((part) => part.slice(5));
    const several = seeds.length > 1;
    const head = parts.mean ? [several ? "mean" : "value", ...(several && parts.range ? ["range"] : [])] : some.map((seed) => "seed " + seed);
    const table = element("table");
    const line = (name, cells, kind) => {
      const row = element("tr");
      row.append(element("th", {}, name), ...cells.map((cell) => element(kind, {}, cell)));
      return row;
    };
    const body = element("tbody");
    for (const arm of shown) {
      const found = measured(panel, arm, place.epoch);
      if (!found) continue;
      const cells = parts.mean
        ? [rounded(found.mean), ...(head.length > 1 ? [`${rounded(found.low)} to ${rounded(found.high)}`] : [])]
        : some.map((seed) => rounded(found.seeds.get(seed)));
      const row = line(arm.name, cells, "td");
      row.firstChild.prepend(element("span", { class: "swatch", style: `background: ${arm.colour}` }));
      body.append(row);
    }
    const top = element("thead");
    top.append(line(`${panel.title.replace(/ +/g, " ")}, epoch ${place.epoch}`, head, "th"));
    table.append(top, body);
    readout.replaceChildren(table);
    const { width, height } = readout.getBoundingClientRect();
    readout.style.left = `${clamp(x + 16 + width > innerWidth ? x - width - 16 : x + 16, 8, innerWidth)}px`;
    readout.style.top = `${clamp(y + 16, 8, Math.max(8, innerHeight - height - 8))}px`;
  }

  function update() {
    for (const arm of arms) arm.button.setAttribute("aria-pressed", arm.on);
    for (const view of views) {
      view.show(arms, parts);
      view.zoom(zoom);
    }
    for (const button of all(tools, "[data-part]"))
      button.setAttribute("aria-pressed", parts[button.dataset.part]);
    reset.hidden = zoom === whole;
    read(null);
  }

  function zoomTo(from, to) {
    const [low, high] = [from, to].map((epoch) => clamp(Math.round(epoch), ...whole));
    if (high - low >= 1) zoom = high - low > 0.98 * (whole[1] - whole[0]) ? whole : [low, high];
    update();
  }

  // Buttons: each arm, all and none of them, the parts of a curve, the whole range.
  const tools = figure.querySelector(".tools");
  const press = (name, act, attributes = {}) => {
    const button = element("button", { type: "button", ...attributes });
    button.append(element("span", {}, name));
    button.addEventListener("click", () => { act(); update(); });
    tools.append(button);
    return button;
  };
  for (const arm of arms) {
    arm.button.disabled = false;
    arm.button.addEventListener("click", () => { arm.on = !arm.on; update(); });
  }
  if (arms.length > 1) {
    press("all", () => arms.forEach((arm) => { arm.on = true; }));
    press("none", () => arms.forEach((arm) => { arm.on = false; }));
  }
  if (seeds.length > 1 && figure.querySelector(".range"))
    for (const part of Object.keys(parts))
      press(part.replace("-", " "), () => { parts[part] = !parts[part]; }, { "data-part": part, "aria-pressed": "true" });
  const reset = press("whole range", () => { zoom = whole; });
  tools.hidden = false;
  figure.classList.add("live");

  for (const view of views) {
    const root = view.root;
    root.tabIndex = 0;
    let start = null; // where a pointer went down: { panel, x, clientX }
    const over = (event) => {
      const found = view.find(event.clientX, event.clientY);
      const epoch = found && nearest(panels[found.panel], found.x);
      read(epoch === null || !found ? null : { panel: found.panel, epoch }, event.clientX, event.clientY);
    };
    root.addEventListener("pointerdown", (event) => {
      const found = event.button === 0 && view.find(event.clientX, event.clientY);
      start = found ? { ...found, clientX: event.clientX } : null;
    });
    root.addEventListener("pointermove", (event) => {
      if (start && Math.abs(event.clientX - start.clientX) > 6) {
        read(null);
        view.select(start.panel, start.x, view.epoch(start.panel, event.clientX, event.clientY));
      } else if (event.pointerType === "mouse") over(event);
    });
    root.addEventListener("pointerup", (event) => {
      const [from, dragged] = [start, view.selection];
      start = null;
      view.select(null);
      if (from && dragged) {
        const to = view.epoch(from.panel, event.clientX, event.clientY);
        zoomTo(Math.min(from.x, to), Math.max(from.x, to));
      } else over(event);
    });
    root.addEventListener("pointercancel", () => { start = null; view.select(null); });
    root.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "mouse") return;
      start = null;
      view.select(null);
      read(null);
    });
    root.addEventListener("dblclick", () => { zoom = whole; update(); });
    root.addEventListener("blur", () => read(null));
    root.addEventListener("keydown", (event) => {
      const { panel, epoch } = cursor ?? { panel: 0, epoch: null };
      const middle = epoch ?? (zoom[0] + zoom[1]) / 2;
      const quarter = (zoom[1] - zoom[0]) / 4;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const other = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      let place = null;
      if (step) place = { panel, epoch: beyond(panel, middle, step) ?? epoch ?? nearest(panels[panel], middle) };
      else if (other) place = { panel: (panel + other + panels.length) % panels.length };
      else if (event.key === "+") zoomTo(middle - quarter, middle + quarter);
      else if (event.key === "-") zoomTo(middle - 4 * quarter, middle + 4 * quarter);
      else if (event.key === "0" || event.key === "Escape") { zoom = whole; update(); }
      else return;
      event.preventDefault();
      if (!place) return;
      place.epoch ??= nearest(panels[place.panel], middle);
      if (place.epoch === null) return;
      const [x, y] = view.toScreen(place.panel, place.epoch);
      read(place, x, y);
    });
  }
  // The next measured epoch after (or before) one.
  function beyond(panel, epoch, step) {
    const found = arms.filter((a) => a.on).flatMap((arm) =>
      [...seedsOf(panels[panel], arm).values()].flatMap((curve) => [...curve.keys()].filter((e) => e >= arm.first)));
    const later = found.filter((e) => (e - epoch) * step > 0 && e >= zoom[0] && e <= zoom[1]);
    return later.length ? (step > 0 ? Math.min(...later) : Math.max(...later)) : null;
  }
  document.addEventListener("pointerdown", (event) => {
    if (!views.some((view) => view.root.contains(event.target))) read(null);
  });
  update();
}

// One SVG of a plot. Epochs are drawn straight along x, so a zoom moves x alone.
class View {
  constructor(root, arms) {
    this.root = root;
    this.svg = root.querySelector("svg");
    this.panels = JSON.parse(root.dataset.panels);
    this.groups = all(this.svg, ".panel");
    this.whole = this.panels[0].epochs;
    this.range = this.whole;
    this.arms = arms;
    this.over = element("g");
    this.svg.append(this.over);
    this.selection = null;
    for (const path of all(this.svg, "path")) path.dataset.d = path.getAttribute("d");
    for (const use of all(this.svg, "use")) use.dataset.x = use.getAttribute("x");
  }

  x(panel, epoch, range = this.range) {
    const [left, , right] = panel.box;
    return left + (right - left) * (epoch - range[0]) / (range[1] - range[0]);
  }

  y(panel, value) {
    const levels = panel.levels;
    let k = 1;
    while (k < levels.length - 1 && levels[k][0] < value) k += 1;
    const [[below, from], [above, to]] = [levels[k - 1], levels[k]];
    return from + (to - from) * (value - below) / (above - below);
  }

  point(clientX, clientY) {
    return new DOMPoint(clientX, clientY).matrixTransform(this.svg.getScreenCTM().inverse());
  }

  epoch(place, clientX, clientY) {
    const [left, , right] = this.panels[place].box;
    const share = clamp((this.point(clientX, clientY).x - left) / (right - left), 0, 1);
    return this.range[0] + share * (this.range[1] - this.range[0]);
  }

  // The panel at a place of the window, and the epoch there.
  find(clientX, clientY) {
    const { x, y } = this.point(clientX, clientY);
    const panel = this.panels.findIndex(({ box: [left, top, right, bottom] }) =>
      x >= left && x <= right && y >= top && y <= bottom);
    return panel < 0 ? null : { panel, x: this.epoch(panel, clientX, clientY) };
  }

  toScreen(place, epoch) {
    const panel = this.panels[place];
    const point = new DOMPoint(this.x(panel, epoch), panel.box[1]).matrixTransform(this.svg.getScreenCTM());
    return [point.x, point.y];
  }

  show(arms, parts) {
    arms.forEach((arm, k) => {
      for (const group of all(this.svg, `.arm-${k}`)) {
        const part = [...group.classList].find((name) => name in parts);
        group.style.display = arm.on && (!part || parts[part]) ? "" : "none";
      }
    });
  }

  zoom(range) {
    this.range = range;
    this.panels.forEach((panel, k) => {
      const group = this.groups[k];
      const move = (x) => {
        const [left, , right] = panel.box;
        const epoch = this.whole[0] + (this.whole[1] - this.whole[0]) * (x - left) / (right - left);
        return this.x(panel, epoch);
      };
      const moved = all(group, "[class^='arm-'], [class^='change ']");
      for (const path of moved.flatMap((part) => all(part, "path")))
        if (!path.closest("defs"))
          path.setAttribute("d", path.dataset.d.replace(/([ML]) (\S+)/g, (_, letter, x) => `${letter} ${move(Number(x))}`));
      for (const use of moved.flatMap((part) => all(part, "use")))
        use.setAttribute("x", move(Number(use.dataset.x)));
      this.moveLabels(group, panel);
      this.ticks(group, panel, range);
    });
  }

  // Labels follow their dashed lines, and leave with them.
  moveLabels(group, panel) {
    for (const label of all(group, "[class^='change ']")) {
      const epoch = Number(label.classList[1].slice("change-".length)) - 0.5;
      const inside = epoch >= this.range[0] && epoch <= this.range[1];
      label.style.display = inside ? "" : "none";
      if (label.querySelector("text"))
        label.setAttribute("transform", `translate(${this.x(panel, epoch) - this.x(panel, epoch, this.whole)} 0)`);
    }
  }

  // Whole epochs under a zoomed panel, made after the panel's first tick.
  ticks(group, panel, range) {
    const axis = group.querySelector("[class^='matplotlib-axis_']");
    const drawn = all(axis, "[class^='xtick_']").filter((tick) => !tick.dataset.zoomed);
    for (const tick of all(axis, "[data-zoomed]")) tick.remove();
    for (const tick of drawn) tick.style.display = range === this.whole ? "" : "none";
    if (range === this.whole || !drawn.length) return;
    const wanted = (range[1] - range[0]) / 6;
    const ten = 10 ** Math.floor(Math.log10(wanted));
    const step = Math.max(1, Math.ceil([1, 2, 5, 10].find((f) => f * ten >= wanted) * ten));
    for (let epoch = Math.ceil(range[0] / step) * step; epoch <= range[1]; epoch += step) {
      const tick = drawn[0].cloneNode(true);
      const [text, use] = [tick.querySelector("text"), tick.querySelector("use")];
      tick.style.display = "";
      tick.dataset.zoomed = "";
      use.setAttribute("x", this.x(panel, epoch));
      text.removeAttribute("transform");
      text.setAttribute("x", this.x(panel, epoch));
      text.style.textAnchor = "middle";
      text.textContent = epoch;
      axis.prepend(tick);
    }
  }

  select(place, from, to) {
    this.selection?.remove();
    this.selection = null;
    if (place === null) return;
    const panel = this.panels[place];
    const [left, right] = [from, to].sort((a, b) => a - b).map((epoch) => this.x(panel, epoch));
    const [, top, , bottom] = panel.box;
    this.selection = element("rect", { class: "selected", x: left, y: top, width: right - left, height: bottom - top });
    this.svg.append(this.selection);
  }

  // A hair at an epoch through all panels, and a dot on the mean of each shown arm.
  mark(epoch, shown, mean) {
    this.over.replaceChildren();
    if (epoch === undefined) return;
    for (const panel of this.panels) {
      const [, top, , bottom] = panel.box;
      const x = this.x(panel, epoch);
      this.over.append(element("line", { class: "hair", x1: x, x2: x, y1: top, y2: bottom }));
      for (const arm of shown) {
        const value = mean(panel, arm);
        if (value === undefined) continue;
        const y = clamp(this.y(panel, value), top, bottom);
        this.over.append(element("circle", { class: "dot", cx: x, cy: y, r: 3, style: `fill: ${arm.colour}` }));
      }
    }
  }
}

for (const figure of all(document, ".plot")) plot(figure);

// --- on paper everything is open ---

addEventListener("beforeprint", () => { for (const more of all(document, "details")) more.open = true; });
