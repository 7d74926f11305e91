// One or several games: everything moves with one epoch, `time.now`.
//
// The server sends what is new in each run; `games` keeps it. `show()` draws the chosen moment.
// A page of an exported site has no server: all of its news is in `site`.

import {el, find, listen, post, say, short, site, duration, state} from "./board.js";
import {Curves} from "./curves.js";
import {Difference} from "./difference.js";

const told = JSON.parse(find("#game").dataset.told);
const LIGHTS = {healthy: "● healthy", watch: "▲ watch", trouble: "■ trouble", unknown: "○ no diagnosis"};
const DASHES = [[], [6, 3], [2, 3], [10, 3, 2, 3], [1, 2], [12, 4]]; // seeds of one arm

/** All that is known of one run. Scalars by name, one value for each complete epoch. */
class Game {
  constructor(id, full) {
    Object.assign(this, {id, full, row: null, samples: [], shown: [], diagnoses: [], problem: ""});
    this.scalars = new Map();
    this.epochs = 0;
  }

  /** Take in news; returns whether curves changed. */
  take(news) {
    if (news.gone) this.problem = "This run is gone: it was deleted or moved.";
    if (news.problem) this.problem = news.problem;
    if (news.row) { this.row = news.row; this.problem = ""; }
    if (news.again) { this.scalars.clear(); this.epochs = 0; }
    if (news.asked_again) this.diagnoses = [];
    if (news.scalars) this.put(news.scalars);
    if (news.asked) this.put(news.asked);
    this.samples.push(...(news.samples ?? []));
    this.shown.push(...(news.shown ?? []));
    this.diagnoses.push(...(news.diagnoses ?? []));
    return Boolean(news.scalars || news.asked || news.again || news.row);
  }

  put(columns) {
    const at = columns.epoch ?? [];
    for (const [name, values] of Object.entries(columns)) {
      if (name === "epoch" || values.every((value) => value === null)) continue;
      if (!this.scalars.has(name)) this.scalars.set(name, []);
      const kept = this.scalars.get(name);
      values.forEach((value, k) => { if (at[k] >= 0 && at[k] < 1e6) kept[at[k]] = value; });
    }
    for (const epoch of at) if (epoch < 1e6) this.epochs = Math.max(this.epochs, epoch + 1);
  }

  /** The last picture that was made at or before an epoch; null if there is none. */
  picture(epoch, judged) {
    const made = judged ? this.shown : this.samples;
    const before = made.filter((each) => each <= epoch);
    if (!before.length) return null;
    const at = before.at(-1), folder = site ? site.pictures[this.id] : `/run/${encodeURIComponent(this.id)}`;
    return {at, url: `${folder}/${judged ? "shown" : "epoch"}/${at}.png`};
  }

  diagnosis(epoch) { return this.diagnoses.filter((each) => each.epoch <= epoch).at(-1); }
  get title() { return this.row?.title ?? this.id; }
}

const games = new Map();
for (const id of told.runs) games.set(id, new Game(id, true));
for (const id of told.seeds) games.set(id, new Game(id, false));
const chosen = told.runs.map((id) => games.get(id));
find("#panels").classList.toggle("few", chosen.length < 4);
const judging = site ? null : el("a", {href: `/judging?${new URLSearchParams(told.runs.map((id) => ["run", id]))}`, hidden: true},
  chosen.length === 2 ? "Judge their pictures blindly" : "Judge its pictures among real ones, blindly");
if (judging) find("#panels").after(el("p", {}, judging));
const time = {now: 0, last: 0, follow: true, playing: null};
const panels = new Map();
const curves = new Curves(find("#curves"), find("#key"), (epoch) => set(epoch));
const difference = new Difference(chosen);

function take(news) {
  let changed = false;
  for (const [id, each] of Object.entries(news.runs ?? {})) changed = games.get(id).take(each) || changed;
  const ends = chosen.map((game) => Math.max(game.epochs, game.samples.at(-1) ?? 0));
  time.last = Math.max(0, ...ends);
  find("#epoch").max = time.last;
  if (time.follow) time.now = time.last;
  styles();
  if (changed) curves.draw([...games.values()], time.now);
  show();
}

/** An arm has a colour, a seed within it a dash. */
function styles() {
  const arms = new Map();
  for (const game of games.values()) {
    if (!game.row) continue;
    if (!arms.has(game.row.arm)) arms.set(game.row.arm, []);
    arms.get(game.row.arm).push(game);
  }
  [...arms.values()].forEach((of, k) => of.forEach((game, seed) => {
    game.colour = `--arm-${k % 6}`;
    game.dash = DASHES[seed % DASHES.length];
  }));
}

/** The same grid of all games at this epoch, their diagnosis then, and the cursor of all curves. */
function show() {
  find("#epoch").value = time.now;
  find("#epoch-said").value = `epoch ${time.now} of ${time.last}`;
  for (const game of chosen) panel(game);
  if (judging) judging.hidden = chosen.length > 2 || !chosen.every((game) => game.row?.state === "finished");
  curves.at(time.now);
  difference.show(time.now, find("#judged").checked);
}

export function set(epoch) {
  time.now = Math.max(0, Math.min(time.last, Math.round(epoch)));
  time.follow = time.now === time.last;
  find("#follow").checked = time.follow;
  show();
}

function panel(game) {
  if (!panels.has(game.id)) panels.set(game.id, made(game));
  const parts = panels.get(game.id), row = game.row;
  if (row) {
    parts.title.textContent = row.title;
    parts.swatch.setAttribute("class", `swatch ${game.colour.slice(2)}`);
    parts.state.replaceChildren(state(row.state), ` ${row.done}/${row.epochs} epochs`,
      row.state === "running" ? `, ${short(row.images_per_s, 3)} images/s, ${duration(row.seconds_left)} left` : "");
    parts.stop.hidden = site || row.state !== "running";
    parts.resume.hidden = site || !["interrupted", "failed"].includes(row.state);
    parts.fork.hidden = site || row.done < 1;
    parts.latents.hidden = site ? !site.latents[game.id] : row.done < 1;
  }
  parts.problem.textContent = game.problem || row?.why || "";
  diagnosis(parts.lamp, parts.light, game.diagnosis(time.now), game);
  const picture = game.picture(time.now, find("#judged").checked);
  parts.picture.hidden = !picture;
  if (picture && parts.picture.getAttribute("src") !== picture.url) parts.picture.src = picture.url;
  if (picture) parts.picture.alt = `what ${game.title} draws after ${picture.at} epochs`;
  parts.caption.textContent = picture ? `after ${picture.at} epochs` : "no picture yet";
}

function made(game) {
  const parts = {
    swatch: el("span", {"aria-hidden": "true"}), title: el("span"), state: el("p", {class: "soft"}),
    problem: el("p", {class: "why"}), lamp: el("p", {class: "lamp"}), light: el("div", {class: "light"}),
    picture: el("img", {class: "grid", hidden: true, alt: ""}), caption: el("figcaption", {class: "soft"}),
    stop: el("button", {type: "button", onclick: () => stop(game)}, "Stop"),
    resume: el("button", {type: "button", onclick: () => post("/do/resume", {run: game.id})}, "Resume"),
    fork: el("button", {type: "button", onclick: () => fork(game)}, "Fork from here"),
    latents: el("a", {href: site ? site.latents[game.id] : `/latents?run=${encodeURIComponent(game.id)}`, hidden: true}, "Latents"),
  };
  find("#panels").append(el("article", {"data-run": game.id},
    el("h2", {}, parts.swatch, parts.title),
    el("div", {}, parts.state, parts.lamp, parts.problem),
    el("figure", {}, parts.picture, parts.caption), parts.light,
    el("p", {class: "buttons"}, parts.stop, parts.resume, parts.fork, parts.latents)));
  return parts;
}

async function fork(game) {
  (await import("./fork.js")).offerFork(game, time.now);
}

async function stop(game) {
  if (await post("/do/stop", {run: game.id})) say(`“${game.title}” saves a checkpoint and stops.`);
}

/** The light beside the title, and its evidence below the picture. */
function diagnosis(lamp, place, now, game) {
  const key = JSON.stringify([now, game.diagnoses.length]);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const light = now?.light ?? "unknown";
  const none = game.diagnoses.length ? "No diagnosis as early as this." : "This game has no diagnostics yet, or its kind has none.";
  lamp.className = `lamp ${light}`;
  lamp.textContent = LIGHTS[light];
  place.replaceChildren(...(now?.findings ?? []).map((each) => el("div", {},
      el("p", {}, el("b", {}, each.name), ` since epoch ${each.since}${each.calibrated ? "" : " (a rule that is not calibrated)"}: ${each.evidence}`),
      each.name === "healthy" ? null : el("p", {class: "soft"}, `To try, in a fork: ${each.advice}`))),
    now?.said || !now ? el("p", {class: "soft"}, now?.said || none) : "");
}

// time

find("#epoch").addEventListener("input", (event) => set(event.target.valueAsNumber));
find("#follow").addEventListener("change", (event) => { if (event.target.checked) set(time.last); else time.follow = false; });
find("#judged").addEventListener("change", show);

/** The moments of a film: all epochs with a picture of some game. */
const moments = () => [...new Set(chosen.flatMap((game) => find("#judged").checked ? game.shown : game.samples))].sort((a, b) => a - b);

function play() {
  if (time.playing) { pause(); return; }
  const all = moments();
  if (all.length < 2) { say("A film needs two pictures."); return; }
  if (time.now >= all.at(-1)) set(all[0]);
  find("#play").textContent = "❚❚";
  find("#play").setAttribute("aria-label", "pause");
  const next = async () => {
    const to = moments().find((epoch) => epoch > time.now);
    if (to === undefined) { pause(); return; }
    await loaded(to);
    if (!time.playing) return;
    set(to);
    time.playing = setTimeout(next, 1000 / Number(find("#speed").value));
  };
  time.playing = setTimeout(next, 0);
}

/** Wait until the pictures of a moment can be shown, so that all games move together. */
async function loaded(epoch) {
  await Promise.all(chosen.map((game) => {
    const picture = game.picture(epoch, find("#judged").checked);
    if (!picture) return null;
    const image = new Image();
    image.src = picture.url;
    return image.decode().catch(() => null);
  }));
}

function pause() {
  clearTimeout(time.playing);
  time.playing = null;
  find("#play").textContent = "▶";
  find("#play").setAttribute("aria-label", "play as a film");
}
find("#play").addEventListener("click", play);

// other games beside these

const beside = find("#beside");
beside.hidden = told.relatives.length === 0;
beside.run.append(...told.relatives.map((each) => el("option", {value: each.id},
  each.parent ? `${each.title} (fork at ${each.branch})` : each.title)));
beside.addEventListener("submit", (event) => {
  event.preventDefault();
  location.href = `/game?${new URLSearchParams([...told.runs, beside.run.value].map((id) => ["run", id]))}`;
});

const query = new URLSearchParams([...told.runs.map((id) => ["run", id]), ...told.seeds.map((id) => ["seed", id])]);
if (site) take(site);
else listen((cursor) => `/events/game?${query}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, take);
