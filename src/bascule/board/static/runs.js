// The list of runs. The server sends rows that have changed; this page keeps and shows them.

import {STATES, bytes, duration, el, find, listen, post, say, short, state} from "./board.js";

const MOST_GAMES = 12; // on a page

const rows = new Map(); // id -> the row as it was sent
const shown = new Map(); // id -> its <tr>
const chosen = new Set();
let known = []; // experiments
const wanted = {text: "", states: new Set(), tags: new Set()};
const game = (ids) => `/game?${new URLSearchParams(ids.map((id) => ["run", id]))}`;

listen("/events/runs", (told) => {
  for (const row of told.runs ?? []) rows.set(row.id, row);
  for (const id of told.gone ?? []) { rows.delete(id); chosen.delete(id); shown.get(id)?.remove(); shown.delete(id); }
  for (const row of told.runs ?? []) draw(row);
  if (told.runs || told.gone) { order(); choices(); filter(); }
  known = told.experiments ?? known;
  if (told.experiments || told.runs) experiments(known);
  if (told.trash) trash(told.trash);
});

function draw(row) {
  const cells = [
    el("td", {}, el("input", {type: "checkbox", "aria-label": `choose ${row.title}`,
      checked: chosen.has(row.id), disabled: row.state === "unreadable",
      onchange: (event) => choose(row.id, event.target.checked)})),
    el("th", {scope: "row"}, row.state === "unreadable" ? row.title : el("a", {href: game([row.id])}, row.title),
      row.title === row.name ? null : el("div", {class: "soft"}, row.name),
      row.parent ? el("div", {class: "soft"}, `fork of ${rows.get(row.parent)?.title ?? row.parent} at ${row.branch}`) : null,
      row.why ? el("div", {class: "why"}, row.why) : null),
    el("td", {}, state(row.state)),
    el("td", {}, row.epochs ? progress(row) : ""),
    el("td", {class: "number"}, row.state === "running" ? short(row.images_per_s, 3) : ""),
    el("td", {class: "number"}, duration(row.seconds_left)),
    el("td", {}, ...row.tags.map((tag) => el("span", {class: "tag"}, tag))),
    el("td", {class: "number"}, bytes(row.bytes)),
    el("td", {class: "actions"}, ...actions(row)),
  ];
  const line = el("tr", {"data-run": row.id}, ...cells);
  const old = shown.get(row.id);
  const focus = old?.contains(document.activeElement) ? document.activeElement.textContent : null;
  old ? old.replaceWith(line) : find("#runs").append(line);
  shown.set(row.id, line);
  if (focus) [...line.querySelectorAll("button")].find((b) => b.textContent === focus)?.focus();
}

function progress(row) {
  return el("span", {class: "progress"},
    el("progress", {max: row.epochs, value: row.done, "aria-label": `epochs of ${row.title}`}),
    ` ${row.done}/${row.epochs}`);
}

/** Buttons keep their places, so that a second click never meets another button. */
function actions(row) {
  const button = (label, what, does, off = false) =>
    el("button", {type: "button", class: "quiet", "aria-label": `${what} ${row.title}`, title: what, onclick: does, disabled: off}, label);
  const alive = ["running", "starting"].includes(row.state), found = [];
  if (alive) found.push(button("Stop", "stop", () => post("/do/stop", {run: row.id}), row.state === "starting"));
  if (["interrupted", "failed"].includes(row.state)) found.push(button("Resume", "resume", () => post("/do/resume", {run: row.id})));
  if (row.state !== "unreadable") found.push(button("Edit", "title and tags of", () => edit(row)));
  return [...found, button("Delete", "delete", () => remove(row), alive)];
}

async function remove(row) {
  if (await post("/do/delete", {run: row.id})) {
    say(`“${row.title}” is in the trash.`, {action: ["Undo", () => post("/do/restore", {run: row.id})], seconds: 20});
  }
}

function edit(row) {
  const dialog = find("#edit"), form = find("form", dialog);
  find(".id", dialog).textContent = row.id;
  form.title.value = row.title === row.name ? "" : row.title;
  form.title.placeholder = row.name;
  form.tags.value = row.tags.join(", ");
  dialog.onclose = async () => {
    if (dialog.returnValue !== "save") return;
    await post("/do/rename", {run: row.id, title: form.title.value});
    await post("/do/tag", {run: row.id, tags: form.tags.value.split(",")});
  };
  dialog.returnValue = "";
  dialog.showModal();
}

/** What runs stands first, then the newest. */
function order() {
  const alive = (row) => ["running", "starting"].includes(row.state);
  const sorted = [...rows.values()].sort((a, b) => alive(b) - alive(a) || (a.created < b.created ? 1 : a.created > b.created ? -1 : a.id < b.id ? 1 : -1));
  const body = find("#runs");
  sorted.forEach((row, k) => {
    const line = shown.get(row.id);
    if (body.children[k] !== line) body.insertBefore(line, body.children[k] ?? null);
  });
}

/** The buttons that filter by state and by tag: only those that some run has. */
function choices() {
  const all = [...rows.values()];
  offer(find("#states"), Object.keys(STATES).filter((s) => all.some((row) => row.state === s)), wanted.states, (s) => STATES[s]);
  const tags = [...new Set(all.flatMap((row) => row.tags))].sort();
  offer(find("#tags"), tags, wanted.tags, (tag) => tag);
  find("#tag-choices").hidden = tags.length === 0;
}

function offer(place, names, chosen, label) {
  for (const name of chosen) if (!names.includes(name)) chosen.delete(name);
  if (place.dataset.names === JSON.stringify(names)) return;
  place.dataset.names = JSON.stringify(names);
  place.replaceChildren(...names.map((name) => el("button", {type: "button", "aria-pressed": String(chosen.has(name)),
    onclick: (event) => {
      chosen.has(name) ? chosen.delete(name) : chosen.add(name);
      event.target.setAttribute("aria-pressed", String(chosen.has(name)));
      filter();
    }}, label(name))));
}

function filter() {
  let seen = 0;
  for (const [id, row] of rows) {
    const words = `${row.title} ${row.name} ${row.id} ${row.tags.join(" ")}`.toLowerCase();
    const fits = wanted.text.toLowerCase().split(/\s+/).every((word) => words.includes(word))
      && (!wanted.states.size || wanted.states.has(row.state))
      && [...wanted.tags].every((tag) => row.tags.includes(tag));
    shown.get(id).hidden = !fits;
    seen += fits;
  }
  const used = [...rows.values()].reduce((sum, row) => sum + (row.bytes ?? 0), 0);
  find("#count").textContent = rows.size === 0 ? "No runs yet. `bascule train dcgan64-light` starts one; it appears here by itself."
    : `${seen === rows.size ? rows.size : `${seen} of ${rows.size}`} run${rows.size === 1 ? "" : "s"}${used ? `, ${bytes(used)} on disk` : ""}`;
}

function choose(id, yes) {
  yes ? chosen.add(id) : chosen.delete(id);
  const button = find("#together");
  button.disabled = chosen.size === 0;
  button.textContent = chosen.size ? `Look at ${chosen.size} chosen together` : "Look at the chosen ones together";
}

function experiments(told) {
  find("#experiments").hidden = told.length === 0;
  find("#experiments ul").replaceChildren(...told.map((each) => el("li", {},
    each.word ? el("span", {class: `badge ${each.word.replace(" ", "-")}`}, each.word) : null,
    el("span", {class: "name"}, each.name), gamesOf(each), el("span", {class: "soft"}, each.finding))));
}

/** A link to the games of an experiment: all arms on its first seed. */
function gamesOf(experiment) {
  const known = experiment.runs.map((id) => rows.get(id)).filter((row) => row && row.state !== "unreadable");
  const first = Math.min(...known.map((row) => row.seed ?? 0));
  const ids = known.filter((row) => (row.seed ?? 0) === first).map((row) => row.id).slice(0, MOST_GAMES);
  return ids.length ? el("a", {href: game(ids), "aria-label": `games of ${experiment.name}`}, "games") : null;
}

function trash(ids) {
  find("#trash").hidden = ids.length === 0;
  find("#trash ul").replaceChildren(...ids.map((id) => el("li", {}, id, " ",
    el("button", {type: "button", class: "quiet", "aria-label": `bring back ${id}`, onclick: () => post("/do/restore", {run: id})}, "Bring back"))));
}

find("#filter").addEventListener("submit", (event) => event.preventDefault());
find("#filter").text.addEventListener("input", (event) => { wanted.text = event.target.value.trim(); filter(); });
find("#together").addEventListener("click", () => { location.href = game([...chosen]); });
find("#purge").addEventListener("click", async () => {
  const told = confirm("Destroy everything in the trash for good?") && await post("/do/purge");
  if (told) say(`${bytes(told.freed)} are free again.`);
});
