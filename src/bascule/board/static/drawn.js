// Latents without a server: sheets that were drawn beforehand, one for each seed and pair of directions.

import {el, find} from "./board.js";

const page = find("#latents"), told = JSON.parse(page.dataset.told);
const sheets = find("#sheet"), picture = find("#drawn"), pair = find("#pair");
const sliders = [find("#first"), find("#second")];
const middle = (told.steps.length - 1) / 2;
const image = new Image(), strip = new Image();
let seed = told.seeds[0];

/** Copy one picture of a sheet to a canvas. */
function copy(from, columns, column, row, canvas) {
  const side = from.naturalWidth / columns, height = side * picture.dataset.shape;
  Object.assign(canvas, {width: side, height});
  canvas.getContext("2d").drawImage(from, column * side, row * height, side, height, 0, 0, side, height);
}

function show() {
  if (!image.naturalWidth) return;
  picture.dataset.shape = image.naturalHeight / image.naturalWidth;
  const [column, row] = sliders.map((slider) => Number(slider.value));
  copy(image, told.steps.length, column, row, picture);
  sliders.forEach((slider) => { slider.nextElementSibling.value = told.steps[slider.value].toFixed(2); });
  const n = told.steps.length, mark = find("#mark");
  mark.style.left = `${100 * column / n}%`;
  mark.style.top = `${100 * row / n}%`;
  mark.style.width = mark.style.height = `${100 / n}%`;
}

function load() {
  const directions = told.pairs[Number(pair.value)];
  sliders.forEach((slider, k) => {
    const share = Math.round(100 * told.shares[directions[k]]);
    slider.previousElementSibling.textContent = `Direction ${directions[k] + 1} (${share} %)`;
  });
  image.src = sheets.src = `${told.folder}/grid-${seed}-${pair.value}.png`;
}
image.addEventListener("load", show);

pair.append(...told.pairs.map((two, k) => el("option", {value: k}, `${two[0] + 1} and ${two[1] + 1}`)));
find("#seeds").append(...told.seeds.map((each) => el("option", {value: each}, String(each))));
find("#seeds").addEventListener("change", (event) => { seed = event.target.value; load(); });
pair.addEventListener("change", load);
for (const slider of sliders) {
  slider.max = told.steps.length - 1;
  slider.value = middle;
  slider.addEventListener("input", show);
}
find("#reset").addEventListener("click", () => { for (const slider of sliders) slider.value = middle; show(); });
sheets.addEventListener("click", (event) => {
  const box = sheets.getBoundingClientRect(), n = told.steps.length;
  sliders[0].value = Math.floor(n * (event.clientX - box.left) / box.width);
  sliders[1].value = Math.floor(n * (event.clientY - box.top) / box.height);
  show();
});
load();

// the walk through all seeds

const frame = find("#frame"), play = find("#play"), film = find("#film");
let playing = 0;

function step() {
  copy(strip, told.frames, frame.value % told.frames, Math.floor(frame.value / told.frames), film);
}

function start() {
  play.textContent = "❚❚";
  play.setAttribute("aria-label", "pause");
  playing = setInterval(() => { frame.value = (Number(frame.value) + 1) % (Number(frame.max) + 1); step(); }, 80);
}

function pause() {
  clearInterval(playing);
  playing = 0;
  play.textContent = "▶";
  play.setAttribute("aria-label", "play");
}

frame.max = told.frames * told.seeds.length - 1;
frame.addEventListener("input", () => { pause(); step(); });
play.addEventListener("click", () => (playing ? pause() : start()));
strip.addEventListener("load", () => { film.dataset.frames = told.frames; step(); });
image.addEventListener("load", () => { if (!strip.src) strip.src = `${told.folder}/walk.png`; });
