// Draw the canvas: the image, the hole or the steps of its fill, the cells with their confidence, the brush.

import { confidenceColour } from "./colours.js";
import { layer } from "./hole.js";

const PIXELS_SEEN = 3; // CSS pixels for one of the image, from which its pixels are shown as squares
const CHECKS = 10; // CSS pixels of a square behind transparent images
const VEIL = "rgb(38 30 46 / .86)";

export class Scene {
  constructor(canvas, session) {
    [this.canvas, this.session] = [canvas, session];
    this.ctx = canvas.getContext("2d");
    this.asked = false;
    this.crops = new Map();
  }

  // draw before the next frame, however often it is asked for until then
  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  draw() {
    const { canvas, ctx } = this;
    const { base, view, result, look } = this.session;
    const sharp = Math.max(1, window.devicePixelRatio);
    const [width, height] = [Math.round(canvas.clientWidth * sharp), Math.round(canvas.clientHeight * sharp)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    ctx.setTransform(sharp, 0, 0, sharp, 0, 0);
    ctx.clearRect(0, 0, width, height);
    if (!base) return;
    if (base.transparent) this.checks();
    ctx.setTransform(view.scale * sharp, 0, 0, view.scale * sharp, view.x * sharp, view.y * sharp);
    ctx.imageSmoothingEnabled = view.scale < PIXELS_SEEN;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(base.bitmap, 0, 0, ...base.shown);
    if (result) this.result(result, look);
    else this.hole();
    ctx.setTransform(sharp, 0, 0, sharp, 0, 0);
    if (result && result.position <= result.steps && !look.wipe) this.cells(result, look);
    if (result && look.wipe) this.wipeLine(look.wipe);
    this.brush();
  }

  checks() {
    const { ctx } = this;
    const { base, view } = this.session;
    const [left, top] = view.toCanvas(0, 0);
    const [right, bottom] = view.toCanvas(...base.shown);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, right - left, bottom - top);
    ctx.clip();
    for (let y = top, row = 0; y < bottom; y += CHECKS, row++) {
      for (let x = left, column = 0; x < right; x += CHECKS, column++) {
        ctx.fillStyle = (row + column) % 2 ? "#c9c9cf" : "#efeff2";
        ctx.fillRect(x, y, CHECKS, CHECKS);
      }
    }
    ctx.restore();
  }

  hole() {
    const { ctx } = this;
    const { hole, progress } = this.session;
    ctx.globalAlpha = progress ? 0.75 : 0.55;
    ctx.drawImage(hole.canvas, 0, 0);
    ctx.globalAlpha = 1;
  }

  // the candidate over the image, or what it was after a step; left of the line as it was before
  result(result, look) {
    const { ctx } = this;
    const [width, height] = this.session.base.shown;
    ctx.save();
    if (look.wipe) {
      ctx.beginPath();
      ctx.rect(width * look.wipe, 0, width * (1 - look.wipe), height);
      ctx.clip();
    }
    const candidate = result.candidates[result.chosen];
    const patch = candidate.patch;
    if (result.position > result.steps || look.wipe) {
      ctx.drawImage(patch.bitmap, ...patch.box);
    } else {
      candidate.crops.forEach((crop, number) => this.crop(crop, number, result));
    }
    ctx.restore();
  }

  // what one crop gives of the hole
  crop(crop, number, result) {
    const [left, top, width, height] = crop.part;
    const dense = Math.max(1, crop.resolution / crop.box[2]); // of a small image that was enlarged for the network
    const side = [width, height].map((length) => Math.max(1, Math.round(length * dense)));
    const [canvas, ctx] = this.layerOf(number, ...side);
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, ...side);
    ctx.setTransform(side[0] / width, 0, 0, side[1] / height, (-left * side[0]) / width, (-top * side[1]) / height);
    ctx.globalCompositeOperation = "source-over";
    ctx.imageSmoothingQuality = "high";
    const row = (Math.max(result.position, 1) - 1) * crop.resolution;
    ctx.drawImage(crop.images, 0, row, crop.resolution, crop.resolution, ...crop.box);
    this.veil(ctx, crop, result);
    ctx.globalCompositeOperation = "destination-in";
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(crop.pasted, ...crop.part);
    ctx.imageSmoothingEnabled = true;
    this.ctx.drawImage(canvas, ...crop.part);
  }

  // hidden tokens are covered; those of this step appear while `fade` goes from 0 to 1
  veil(ctx, crop, { position, fade }) {
    const [left, top, width, height] = crop.box;
    const [across, down] = [width / crop.grid, height / crop.grid];
    ctx.fillStyle = VEIL;
    for (let cell = 0; cell < crop.grid ** 2; cell++) {
      const state = cellState(crop, cell, position);
      if (state !== "hidden" && (state !== "new" || fade >= 1)) continue;
      ctx.globalAlpha = state === "new" ? 1 - fade : 1;
      const [x, y] = [left + (cell % crop.grid) * across, top + Math.floor(cell / crop.grid) * down];
      ctx.fillRect(x, y, across, down);
    }
    ctx.globalAlpha = 1;
  }

  cells(result, look) {
    const { ctx } = this;
    const { view } = this.session;
    for (const crop of result.candidates[result.chosen].crops) {
      const [left, top] = view.toCanvas(crop.box[0], crop.box[1]);
      const [width, height] = [(crop.box[2] * view.scale) / crop.grid, (crop.box[3] * view.scale) / crop.grid];
      const thick = Math.min(2, Math.max(0.75, width / 8));
      for (let cell = 0; cell < crop.grid ** 2; cell++) {
        const state = cellState(crop, cell, result.position);
        const [x, y] = [left + (cell % crop.grid) * width, top + Math.floor(cell / crop.grid) * height];
        if (state === "hidden") {
          [ctx.lineWidth, ctx.strokeStyle] = [1, "rgb(255 255 255 / .22)"];
          ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
        }
        if (state !== "new" && !(look.confidence && state === "old")) continue;
        const colour = (alpha) => (look.confidence ? confidenceColour(crop.confidence[cell], alpha) : `rgb(255 255 255 / ${alpha})`);
        if (look.confidence) {
          ctx.fillStyle = colour(state === "new" ? 0.45 : 0.22);
          ctx.fillRect(x, y, width, height);
        }
        if (state === "new") {
          [ctx.lineWidth, ctx.strokeStyle] = [thick, colour(1)];
          ctx.strokeRect(x + thick / 2, y + thick / 2, width - thick, height - thick);
        }
      }
    }
  }

  wipeLine(share) {
    const { ctx } = this;
    const { base, view } = this.session;
    const [x, top] = view.toCanvas(base.shown[0] * share, 0);
    const bottom = view.toCanvas(0, base.shown[1])[1];
    for (const [colour, thick] of [["rgb(0 0 0 / .5)", 4], ["#fff", 2]]) {
      [ctx.strokeStyle, ctx.lineWidth] = [colour, thick];
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, bottom);
      ctx.stroke();
    }
  }

  // a ring as large as the brush, where the pointer or the keyboard's cursor is
  brush() {
    const { ctx } = this;
    const { pointer, view, tool, size, busy } = this.session;
    if (!pointer || busy) return;
    const [x, y] = view.toCanvas(...pointer);
    const radius = tool === "box" ? 7 : Math.max(2.5, (size * view.scale) / 2);
    for (const [colour, thick] of [["rgb(0 0 0 / .65)", 3.5], ["#fff", 1.5]]) {
      [ctx.strokeStyle, ctx.lineWidth] = [colour, thick];
      ctx.beginPath();
      if (tool === "box") {
        ctx.moveTo(x - radius, y);
        ctx.lineTo(x + radius, y);
        ctx.moveTo(x, y - radius);
        ctx.lineTo(x, y + radius);
      } else ctx.arc(x, y, radius, 0, 2 * Math.PI);
      ctx.stroke();
    }
  }

  layerOf(name, width, height) {
    const known = this.crops.get(name);
    if (known && known[0].width === width && known[0].height === height) return known;
    const made = layer(width, height);
    this.crops.set(name, made);
    return made;
  }
}

// known, hidden, new (revealed in this step) or old, after a step counted from 1; 0 = before the first
export function cellState(crop, cell, step) {
  if (crop.start[cell] !== "1") return "known";
  if (step === 0) return "hidden";
  const hidden = (at) => (at === 0 ? crop.start : crop.masks[at - 1])[cell] === "1";
  if (hidden(step)) return "hidden";
  return hidden(step - 1) ? "new" : "old";
}
