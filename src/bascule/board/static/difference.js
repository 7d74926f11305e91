// Two arms of one seed at one moment: how much each pixel differs.

import {el, find} from "./board.js";

export class Difference {
  constructor(games) {
    this.games = games;
    this.asked = "";
    if (games.length < 2) return;
    find("#difference").hidden = false;
    for (const [id, place] of [["#difference-a", 0], ["#difference-b", 1]]) {
      find(id).append(...games.map((game, k) => el("option", {value: k, selected: k === place}, game.title)));
      find(id).addEventListener("change", () => this.again());
    }
    find("#difference-gain").addEventListener("change", () => this.again());
  }

  again() { this.asked = ""; this.show(this.epoch, this.judged); }

  async show(epoch, judged) {
    if (this.games.length < 2) return;
    Object.assign(this, {epoch, judged});
    const names = find("#difference-a").options;
    this.games.forEach((game, k) => { names[k].textContent = find("#difference-b").options[k].textContent = game.title; });
    const two = ["#difference-a", "#difference-b"].map((id) => this.games[Number(find(id).value)]);
    const pictures = two.map((game) => game.picture(epoch, judged));
    const asked = JSON.stringify([pictures, two.map((game) => game.title), find("#difference-gain").value]);
    if (asked === this.asked) return;
    this.asked = asked;
    const said = find("#difference-said");
    find(".three").hidden = pictures.includes(null);
    if (pictures.includes(null)) { said.textContent = "One of them has no picture as early as this."; return; }
    const images = ["a", "b"].map((side) => find(`#picture-${side}`));
    images.forEach((image, k) => {
      image.src = pictures[k].url;
      image.alt = `what ${two[k].title} draws`;
      image.nextElementSibling.textContent = `${two[k].title}, after ${pictures[k].at} epochs`;
    });
    try {
      await Promise.all(images.map((image) => image.decode()));
    } catch {
      said.textContent = "A picture cannot be read.";
      return;
    }
    if (asked === this.asked) said.textContent = told(images, Number(find("#difference-gain").value), pictures);
  }
}

/** Draw |a - b|, brightened; returns what it says in words. */
function told([a, b], gain, [one, other]) {
  if (a.naturalWidth !== b.naturalWidth || a.naturalHeight !== b.naturalHeight) return "The pictures have different sizes.";
  const canvas = find("#difference-canvas"), width = a.naturalWidth, height = a.naturalHeight;
  Object.assign(canvas, {width, height});
  if (location.protocol === "file:") return blended(canvas, a, b, gain);
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const pixels = (image) => {
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, width, height);
  };
  const mine = pixels(a), theirs = pixels(b);
  let differ = 0, sum = 0;
  for (let k = 0; k < mine.data.length; k += 4) {
    let any = false;
    for (let c = k; c < k + 3; c++) {
      const by = Math.abs(mine.data[c] - theirs.data[c]);
      any ||= by > 0;
      sum += by;
      mine.data[c] = Math.min(255, gain * by);
    }
    mine.data[k + 3] = 255;
    differ += any;
  }
  context.putImageData(mine, 0, 0);
  const when = one.at === other.at ? `After ${one.at} epochs` : `After ${one.at} and ${other.at} epochs`;
  if (!differ) return `${when} they are equal, pixel by pixel.`;
  const n = width * height;
  return `${when}, ${(100 * differ / n).toFixed(1)} % of the pixels differ, by ${(sum / (3 * n)).toFixed(2)} of 255 on average.`;
}

/** The same without reading a pixel, which browsers forbid to a page that is a file. */
function blended(canvas, a, b, gain) {
  const context = canvas.getContext("2d");
  context.drawImage(a, 0, 0);
  context.globalCompositeOperation = "difference";
  context.drawImage(b, 0, 0);
  context.globalCompositeOperation = "lighter";
  for (let times = 1; times < gain; times *= 2) context.drawImage(canvas, 0, 0);
  return "Black pixels are equal. From a web server, this page also tells how many differ.";
}
