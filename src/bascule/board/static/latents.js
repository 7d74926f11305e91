// The latents of a G. A place is a seed, moves along principal directions and a truncation, as one
// text; the server draws places.

import {el, find, get, say} from "./board.js";

const page = find("#latents"), run = encodeURIComponent(page.dataset.run);
const frames = Number(page.dataset.frames), most = Number(page.dataset.most);
const epoch = find("#epoch"), drawn = find("#drawn"), seed = find("#seed"), psi = find("#psi"), by = find("#by");
const pins = []; // places
let sliders = [];

const WHAT = {
  w: {directions: "Principal components of w. One unit is one standard deviation of w along it; the share is that of the variance.",
    psi: "w is moved towards its mean: 1 changes nothing, 0 draws the mean."},
  z: {directions: "The directions of z along which pictures change most. One unit is one standard deviation of z; the share is that of the change.",
    psi: "z is scaled: 1 changes nothing, 0 draws the middle."},
};

const place = () => `${seed.value || 0}:${sliders.map((slider) => slider.value).join(",")}:${psi.value}`;

function url(what, ...asked) {
  if (epoch.value) asked.push(["epoch", epoch.value]);
  return `/latents/${run}/${what}?${new URLSearchParams(asked)}`;
}

/** Do `task` when it is asked for, but never twice at once: the last wish counts. */
function latest(task) {
  let busy = false, again = false;
  return async () => {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      await task();
    }
    busy = false;
  };
}

/** Show the picture at a URL in `image`, a refusal as a line; returns whether it is shown. */
async function show(image, from) {
  try {
    const answer = await fetch(from, {headers: {Accept: "application/json"}});
    if (!answer.ok) {
      say((await answer.json()).error, {problem: true, seconds: 20});
      return false;
    }
    const old = image.src;
    image.src = URL.createObjectURL(await answer.blob());
    await image.decode();
    if (old) URL.revokeObjectURL(old);
    return true;
  } catch {
    say("The board does not answer: is it still running?", {problem: true});
    return false;
  }
}

const draw = latest(async () => {
  const now = place();
  if (await show(drawn, url("picture.png", ["place", now]))) drawn.dataset.place = now;
});

const look = latest(async () => {
  const state = find("#near-state");
  const slow = setTimeout(() => { state.textContent = "Comparing with all training pictures …"; }, 800);
  const told = await get(url("beside", ["place", place()], ["by", by.value]));
  clearTimeout(slow);
  state.textContent = "";
  find("#near").replaceChildren(...(told?.nearest ?? []).map(({index, distance}) => el("li", {},
    el("img", {class: "grain", alt: `training picture ${index}`, src: `/latents/${run}/real/${index}.png`}),
    el("span", {title: "distance"}, distance.toPrecision(3)))));
  find("#read").hidden = !told?.labels.length && !told?.remark;
  find("#attributes").replaceChildren(...(told?.labels ?? []).flatMap(([name, value]) =>
    [el("dt", {}, name), el("dd", {}, value)]));
  find("#remark").textContent = told?.remark ?? "";
});

let rest = 0;
function changed() {
  for (const input of [psi, ...sliders]) input.nextElementSibling.value = Number(input.value).toFixed(input === psi ? 2 : 1);
  draw();
  clearTimeout(rest);
  rest = setTimeout(look, 250); // the neighbours wait until the hand rests
}

async function open() {
  find("#about").textContent = "Loading G …";
  const told = await get(url("about"));
  page.hidden = !told;
  find("#about").textContent = told ? `This G has trained ${told.epoch} epochs and draws from ${told.space}.` : "There is nothing to draw with.";
  if (!told) return;
  if (epoch.length === 1) epoch.append(...told.kept.map((kept) => el("option", {value: kept}, `epoch ${kept}`)));
  find("#directions-what").textContent = WHAT[told.space].directions;
  find("#psi-what").textContent = WHAT[told.space].psi;
  find("#directions").replaceChildren(...told.shares.map((share, k) => el("label", {class: "slider"},
    el("span", {}, `${k + 1} (${(100 * share).toFixed(0)} %)`),
    el("input", {type: "range", min: -4, max: 4, step: 0.1, value: sliders[k]?.value ?? 0, oninput: changed}),
    el("output"))));
  sliders = [...find("#directions").querySelectorAll("input")];
  showPins();
  changed();
}

epoch.addEventListener("change", open);
for (const input of [seed, psi]) input.addEventListener("input", changed);
by.addEventListener("change", look);
find("#random").addEventListener("click", () => { seed.value = Math.floor(Math.random() * 1e6); changed(); });
find("#reset").addEventListener("click", () => {
  for (const slider of sliders) slider.value = 0;
  psi.value = 1;
  changed();
});

// the walk between pinned pictures

const film = find("#film"), frame = find("#frame"), play = find("#play"), strip = new Image();
let playing = 0;

function showPins() {
  find("#walk").disabled = pins.length < 2;
  find("#pin").disabled = pins.length >= most;
  forget();
  find("#pins").replaceChildren(...pins.map((pin, k) => el("li", {},
    el("img", {class: "grain", src: url("picture.png", ["place", pin]), alt: `pinned picture ${k + 1}`}),
    el("button", {type: "button", class: "quiet", "aria-label": `unpin picture ${k + 1}`,
      onclick: () => { pins.splice(k, 1); showPins(); }}, "unpin"))));
}
find("#pin").addEventListener("click", () => { pins.push(place()); showPins(); });

/** A film is shown as long as it is that of the pins. */
function forget() {
  pause();
  film.hidden = find("#film-controls").hidden = true;
}

function showFrame() {
  const side = film.width, at = Number(frame.value);
  film.getContext("2d").drawImage(strip, (at % frames) * side, Math.floor(at / frames) * side, side, side, 0, 0, side, side);
  film.dataset.frame = at;
}

find("#walk").addEventListener("click", async () => {
  const stops = pins.length;
  find("#walk").disabled = true;
  const isShown = await show(strip, url("walk.png", ...pins.map((pin) => ["place", pin])));
  find("#walk").disabled = pins.length < 2;
  if (!isShown || stops !== pins.length) return;
  film.width = film.height = strip.naturalWidth / frames;
  frame.max = frames * stops - 1;
  frame.value = 0;
  film.hidden = find("#film-controls").hidden = false;
  showFrame();
  if (!playing && !matchMedia("(prefers-reduced-motion: reduce)").matches) start();
});

function start() {
  play.textContent = "❚❚";
  play.setAttribute("aria-label", "pause");
  playing = setInterval(() => {
    frame.value = (Number(frame.value) + 1) % (Number(frame.max) + 1);
    showFrame();
  }, 80);
}

function pause() {
  clearInterval(playing);
  playing = 0;
  play.textContent = "▶";
  play.setAttribute("aria-label", "play");
}
play.addEventListener("click", () => (playing ? pause() : start()));
frame.addEventListener("input", () => { pause(); showFrame(); });

open();
