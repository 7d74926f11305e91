// The steps of a story: each takes all games to its moment.

import {find} from "./board.js";
import {set} from "./game.js";

const steps = [...document.querySelectorAll("#steps > li")];
let now = 0;

function go(step) {
  now = Math.max(0, Math.min(steps.length - 1, step));
  steps.forEach((each, k) => { each.hidden = k !== now; });
  find("#back").disabled = now === 0;
  find("#next").disabled = now === steps.length - 1;
  find("#step").textContent = `step ${now + 1} of ${steps.length}`;
  find("#judged").checked = steps[now].dataset.judged === "true";
  set(Number(steps[now].dataset.epoch));
}

if (steps.length) {
  find("#back").addEventListener("click", () => go(now - 1));
  find("#next").addEventListener("click", () => go(now + 1));
  for (const step of steps) find("button", step).addEventListener("click", () => go(now));
  go(0);
}
