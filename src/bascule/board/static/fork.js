// The form of a fork, made of the rules' own fields. The server writes the command that does the same.

import {el, find, get, post, say} from "./board.js";

const dialog = find("#fork"), form = find("form", dialog);
let rules = null, begin = [], game = null, asking = 0;

/** Open the form for a game, at a moment. */
export async function offerFork(chosen, epoch) {
  game = chosen;
  if (!rules) {
    const told = await get("/fork/rules");
    if (!told) return;
    ({rules, begin} = told);
    form.rule.append(...rules.map((rule) => el("option", {value: rule.name}, rule.name)));
  }
  find("#fork-run").textContent = game.title;
  form.at_epoch.max = game.row.done;
  form.at_epoch.value = Math.max(1, Math.min(epoch, game.row.done));
  choose();
  dialog.showModal();
}

/** Show the fields of the chosen rule. Those that say when it begins follow the branch. */
function choose() {
  const rule = rules.find((each) => each.name === form.rule.value);
  find("#rule").hidden = !rule;
  find("#fields").replaceChildren(...(rule?.fields ?? []).map(field));
  find("#rule-doc").textContent = rule?.summary ?? "";
  start();
  plan();
}

function field(each) {
  const id = `field-${each.name}`, about = `about-${each.name}`;
  const input = each.choices.length
    ? el("select", {id, "data-field": each.name, "aria-describedby": about}, ...each.choices.map((text) => el("option", {selected: text === each.default}, text)))
    : el("input", {id, "data-field": each.name, "aria-describedby": about, value: each.default ?? "", required: each.default === null, autocomplete: "off"});
  const told = [each.about, each.type, each.allowed].filter(Boolean).join("; ");
  return el("div", {class: "field"}, el("label", {for: id}, each.name), input, el("span", {class: "soft", id: about}, told));
}

const inputs = () => [...find("#fields").querySelectorAll("[data-field]")];

function start() {
  for (const input of inputs()) if (begin.includes(input.dataset.field)) input.value = form.at_epoch.value;
}

function asked() {
  const fields = Object.fromEntries(inputs().map((input) => [input.dataset.field, input.value]));
  return {run: game.id, at_epoch: form.at_epoch.valueAsNumber || 0, rule: form.rule.value, fields,
    epochs: Number.isFinite(form.epochs.valueAsNumber) ? form.epochs.valueAsNumber : null, name: form.name.value.trim()};
}

/** Ask what command this is, or what is wrong with it. */
async function plan() {
  const mine = ++asking;
  const answer = await fetch(`/fork/plan?${new URLSearchParams({asked: JSON.stringify(asked())})}`);
  const told = await answer.json();
  if (mine !== asking) return; // the form has changed since
  find("#fork-problem").textContent = told.problem || told.error || "";
  find("#command").textContent = told.command ?? "";
  find("#fork-start").disabled = find("#copy").disabled = !told.command;
}

form.rule.addEventListener("change", choose);
form.addEventListener("input", (event) => {
  if (event.target === form.at_epoch) start();
  if (event.target !== form.rule) plan();
});
find("#fork-cancel").addEventListener("click", () => dialog.close());
find("#copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(find("#command").textContent);
  say("The command is copied.");
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  find("#fork-start").disabled = true;
  const made = await post("/do/fork", asked());
  find("#fork-start").disabled = false;
  if (!made) return;
  dialog.close();
  const shown = new URLSearchParams(location.search).getAll("run");
  location.href = `/game?${new URLSearchParams([...new Set([...shown, made.run])].map((id) => ["run", id]))}`;
});
