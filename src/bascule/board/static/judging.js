// Blind judging. The server alone knows which picture is whose; it sends the next two with each answer.

import {find, get, post} from "./board.js";

const runs = JSON.parse(find("#judging").dataset.told);
const ids = runs.map((run) => run.id);
const who = find("#who"), left = find("#left"), right = find("#right"), undo = find("#undo");
let judge = "", count = 0, most = 0, shownAt = 0, busy = false;

async function show(told) {
  if (!told) return;
  ({count, most} = told);
  find("#count").textContent = count < most ? `${count} of ${most} judged` : `All ${most} are judged. Thank you.`;
  undo.disabled = count === 0;
  find(".two").hidden = !told.left;
  if (told.left) {
    for (const [button, picture] of [[left, told.left], [right, told.right]]) find("img", button).src = picture;
    await Promise.all([left, right].map((button) => find("img", button).decode()));
  }
  shownAt = performance.now();
  if (find("#result").open) result();
}

/** One change at a time: a second click in a hurry is not an answer to a picture that nobody saw. */
async function change(path, more) {
  if (busy || !judge) return;
  busy = true;
  await show(await post(path, {runs: ids, judge, count, ...more}));
  busy = false;
}
const answer = (isLeft) => count < most && change("/do/judge", {left: isLeft, seconds: (performance.now() - shownAt) / 1000});
const takeBack = () => count > 0 && change("/do/unjudge", {});

left.addEventListener("click", () => answer(true));
right.addEventListener("click", () => answer(false));
undo.addEventListener("click", takeBack);
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select")) return;
  const todo = {ArrowLeft: () => answer(true), ArrowRight: () => answer(false), Backspace: takeBack}[event.key];
  if (todo && judge) { event.preventDefault(); todo(); }
});

who.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = who.elements.judge.value;
  const begin = find("button", who);
  begin.disabled = true;
  const told = await get(`/judging/next?${new URLSearchParams([...ids.map((id) => ["run", id]), ["judge", name]])}`);
  begin.disabled = false;
  if (!told) return;
  judge = name;
  who.hidden = true;
  find("#question").hidden = false;
  await show(told);
});
who.hidden = false;  // not before: without this script the browser would send the form itself

const several = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

/** What all judges said, in a sentence. */
async function result() {
  const told = await get(`/judging/result?${new URLSearchParams(ids.map((id) => ["run", id]))}`);
  if (!told) return;
  const said = find("#result-said");
  if (!told.n) { said.textContent = "No answers yet."; return; }
  const [share, low, high] = told.share.map((part) => `${(100 * part).toFixed(0)} %`);
  const what = runs.length === 2 ? `“${runs[0].title}” was preferred to “${runs[1].title}”` : "A fake was taken for the real picture";
  said.textContent = `${what} in ${share} of ${several(told.n, "answer")} of ${several(told.judges, "judge")} `
    + `(95 % interval ${low} to ${high}). ` + verdict(told.share);
}

/** Whether the interval leaves out a half, which is what guessing gives. */
function verdict([, low, high]) {
  return low <= 0.5 && high >= 0.5 ? "That is undecided: guessing gives 50 %." : "";
}
find("#result").addEventListener("toggle", () => { if (find("#result").open) result(); });
