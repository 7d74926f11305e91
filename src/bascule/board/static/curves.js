// Curves of all scalars: one uPlot chart for each, a line for each game, a band for each arm.

import uPlot from "./vendor/uPlot.esm.js";
import {el, short} from "./board.js";

const FIRST = ["loss_D", "loss_G", "D_x", "D_Gz"]; // these stand at the top,
const LAST = ["seconds", "images_per_s"]; // and these at the bottom
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rank = (name) => (LAST.includes(name) ? 99 : FIRST.includes(name) ? FIRST.indexOf(name) : 50);
const faint = (hex) => `${hex}2e`;

export class Curves {
  /** `set(epoch)` is called when a person clicks on a moment. */
  constructor(place, key, set) {
    Object.assign(this, {place, key, set, charts: new Map(), games: [], now: 0});
    this.sync = uPlot.sync("epochs");
    new ResizeObserver(() => this.charts.forEach(({plot}) => plot.setSize(this.size()))).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.charts.forEach(({plot, box}) => { plot.destroy(); box.remove(); });
      this.charts.clear();
      this.draw(this.games, this.now);
    });
  }

  size() {
    const columns = Math.max(1, Math.floor(this.place.clientWidth / 420));
    return {width: Math.floor((this.place.clientWidth - 16 * (columns - 1)) / columns), height: 190};
  }

  draw(games, now) {
    this.games = games.filter((game) => game.row && game.colour);
    this.now = now;
    const names = [...new Set(this.games.flatMap((game) => [...game.scalars.keys()]))];
    for (const name of names) this.chart(name);
    this.place.classList.toggle("empty", names.length === 0);
    this.legend();
    this.at(now);
  }

  /** The lines of a chart. A fork whose parent is shown too begins at its branch. */
  lines() {
    const ids = new Set(this.games.filter((game) => game.full).map((game) => game.id));
    return this.games.filter((game) => game.full).map((game) => ({game, from: ids.has(game.row.parent) ? game.row.branch - 1 : 0}));
  }

  /** Arms with at least two seeds. */
  bands() {
    const arms = new Map();
    for (const game of this.games) {
      if (!arms.has(game.row.arm)) arms.set(game.row.arm, []);
      arms.get(game.row.arm).push(game);
    }
    return [...arms.values()].filter((of) => of.length > 1);
  }

  data(name) {
    const length = Math.max(0, ...this.games.map((game) => game.epochs));
    const epochs = Array.from({length}, (_, k) => k + 1);
    const full = (values, from) => epochs.map((_, k) => (k < from ? null : values?.[k] ?? null));
    const ids = new Set(this.games.map((game) => game.id));
    const edges = this.bands().flatMap((of) => [Math.max, Math.min].map((edge) => epochs.map((_, k) => {
      if (of.every((game) => ids.has(game.row.parent)) && k < of[0].row.branch - 1) return null;
      const there = of.map((game) => game.scalars.get(name)?.[k]).filter((value) => value !== undefined && value !== null);
      return there.length > 1 ? edge(...there) : null;
    })));
    return [epochs, ...edges, ...this.lines().map(({game, from}) => full(game.scalars.get(name), from))];
  }

  chart(name) {
    const shape = JSON.stringify([this.bands().map((of) => of.map((g) => [g.id, g.colour])), this.lines().map(({game, from}) => [game.id, game.colour, from])]);
    const old = this.charts.get(name);
    if (old?.shape === shape) { old.plot.setData(this.data(name), !old.zoomed); return; }
    old?.plot.destroy();
    const box = old?.box ?? el("figure", {class: "curve"});
    const said = el("span", {class: "said"});
    box.replaceChildren(el("figcaption", {}, el("b", {}, name), " ", said));
    if (!old) this.place.append(box);
    box.style.order = rank(name);
    const kept = {box, said, shape, zoomed: false};
    kept.plot = new uPlot(this.options(name, kept), this.data(name), box);
    kept.plot.root.setAttribute("role", "img");
    kept.plot.root.setAttribute("aria-label", `curve of ${name}; its values at the moment stand above it`);
    this.charts.set(name, kept);
  }

  options(name, kept) {
    const bands = this.bands();
    const edge = (of) => ({stroke: "transparent", width: 0, points: {show: false}, spanGaps: true, colourOf: of});
    const ink = colour("--soft"), rule = colour("--rule");
    const axis = {stroke: ink, grid: {stroke: rule, width: 1}, ticks: {stroke: rule, width: 1}, font: "11px system-ui"};
    return {
      ...this.size(),
      legend: {show: false},
      scales: {x: {time: false}},
      cursor: {sync: {key: "epochs"}, points: {size: 5}, drag: {x: true, y: false, setScale: true}},
      axes: [{...axis, size: 30}, {...axis, size: 56, values: (_, all) => all.map((value) => short(value, 3))}],
      series: [{}, ...bands.flatMap((of) => [edge(of), edge(of)]),
        ...this.lines().map(({game}) => ({stroke: colour(game.colour), width: 1.6, dash: game.dash, spanGaps: true, points: {show: false}}))],
      bands: bands.map((of, k) => ({series: [2 * k + 1, 2 * k + 2], fill: faint(colour(of[0].colour))})),
      hooks: {
        draw: [(plot) => { this.marks(plot); this.hand(plot); }],
        setCursor: [(plot) => this.say(kept, name, plot.cursor.idx ?? null)],
        setScale: [(plot, key) => {
          if (key === "x") kept.zoomed = plot.scales.x.min > plot.data[0][0] || plot.scales.x.max < plot.data[0].at(-1);
        }],
        ready: [(plot) => plot.over.addEventListener("click", (event) => {
          const epoch = plot.posToVal(event.offsetX, "x");
          if (Number.isFinite(epoch) && !plot.select.width) this.set(epoch);
        })],
      },
    };
  }

  /** Dashed lines where rules begin to act, and where forks branch off. */
  marks(plot) {
    for (const {game} of this.lines()) {
      const moments = new Set([...game.row.marks.map((mark) => mark.epoch), game.row.branch].filter(Boolean));
      for (const epoch of moments) this.vertical(plot, epoch + 0.5, colour(game.colour), [4, 3]);
    }
  }

  hand(plot) { this.vertical(plot, this.now, colour("--ink"), []); }

  vertical(plot, epoch, stroke, dash) {
    const x = plot.valToPos(epoch, "x", true), {left, top, width, height} = plot.bbox;
    if (!(x >= left && x <= left + width)) return;
    const {ctx} = plot;
    ctx.save();
    Object.assign(ctx, {strokeStyle: stroke, lineWidth: devicePixelRatio, globalAlpha: 0.8});
    ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
    ctx.beginPath(); ctx.moveTo(x, top); ctx.lineTo(x, top + height); ctx.stroke();
    ctx.restore();
  }

  /** Move the hand of all charts to an epoch. */
  at(epoch) {
    this.now = epoch;
    for (const [name, kept] of this.charts) { kept.plot.redraw(false); this.say(kept, name, null); }
  }

  /** The values under the pointer, or at the moment. */
  say(kept, name, index) {
    const epoch = index === null ? this.now : index + 1;
    kept.said.replaceChildren(...this.lines().map(({game}) => {
      const values = game.scalars.get(name) ?? [];
      let at = Math.min(epoch, values.length) - 1;
      while (at > 0 && (values[at] ?? null) === null) at--; // diagnostics come every few epochs
      const value = values[at];
      return el("span", {}, el("i", {class: `swatch ${game.colour.slice(2)}`, "aria-hidden": "true"}), short(value));
    }), index === null ? "" : el("span", {class: "soft"}, ` at ${epoch}`));
  }

  legend() {
    const key = JSON.stringify(this.lines().map(({game}) => [game.title, game.colour, game.row.marks]));
    if (this.key.dataset.shown === key) return;
    this.key.dataset.shown = key;
    this.key.replaceChildren(...this.lines().map(({game}) => el("li", {},
      el("span", {class: `swatch ${game.colour.slice(2)}`, "aria-hidden": "true"}), game.title,
      ...game.row.marks.map((mark) => el("span", {class: "soft"}, ` ┆ from epoch ${mark.epoch}: ${mark.what}`)),
      game.row.parent ? el("span", {class: "soft"}, ` ┆ branches off at ${game.row.branch}`) : null)));
  }
}
