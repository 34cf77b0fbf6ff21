// Draw the canvas: the image, the hole or the steps of its fill, the cells with their confidence, the brush.
//
// What is drawn of a crop is a frame: where it is (`box`, `part`, `pasted`), its image and which part of that (`image`, `from`), its
// grid, the state of each cell (known, hidden, new, old) and its confidence. They come from a fill that runs, or from its result.

import { confidenceColour } from "./colours.js";
import { layer } from "./hole.js";
import { frames } from "./result.js";

const PIXELS_SEEN = 3; // CSS pixels for one of the image, from which its pixels are shown as squares
const CHECKS = 10; // CSS pixels of a square behind transparent images
const VEIL = "rgb(38 30 46 / .86)";
const NO_IMAGE = "rgb(128 128 128 / .9)"; // under tokens whose image was left out for a slow connection

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
    const { base, view, live, result, look } = this.session;
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
    const atStep = result && result.position <= result.steps && !look.wipe;
    const shown = live ? live.frames() : atStep ? frames(result) : [];
    if (!result) this.hole();
    else if (!atStep) this.result(result, look);
    shown.forEach((frame, number) => this.crop(frame, number, result?.fade ?? 1));
    ctx.setTransform(sharp, 0, 0, sharp, 0, 0);
    for (const frame of shown) this.cells(frame, look);
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
    const { hole } = this.session;
    ctx.globalAlpha = 0.55;
    ctx.drawImage(hole.canvas, 0, 0);
    ctx.globalAlpha = 1;
  }

  // the candidate over the image; left of the line as it was before
  result(result, look) {
    const { ctx } = this;
    const [width, height] = this.session.base.shown;
    ctx.save();
    if (look.wipe) {
      ctx.beginPath();
      ctx.rect(width * look.wipe, 0, width * (1 - look.wipe), height);
      ctx.clip();
    }
    const { patch } = result.candidates[result.chosen];
    ctx.drawImage(patch.bitmap, ...patch.box);
    ctx.restore();
  }

  // what one crop gives of the hole
  crop(frame, number, fade) {
    const [left, top, width, height] = frame.part;
    const dense = frame.image ? Math.max(1, frame.from[2] / frame.box[2]) : 1; // of a small image that was enlarged for the network
    const side = [width, height].map((length) => Math.max(1, Math.round(length * dense)));
    const [canvas, ctx] = this.layerOf(number, ...side);
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, ...side);
    ctx.setTransform(side[0] / width, 0, 0, side[1] / height, (-left * side[0]) / width, (-top * side[1]) / height);
    ctx.globalCompositeOperation = "source-over";
    ctx.imageSmoothingQuality = "high";
    if (frame.image) ctx.drawImage(frame.image, ...frame.from, ...frame.box);
    this.veil(ctx, frame, fade);
    ctx.globalCompositeOperation = "destination-in";
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(frame.pasted, ...frame.part);
    ctx.imageSmoothingEnabled = true;
    this.ctx.drawImage(canvas, ...frame.part);
  }

  // hidden tokens are covered; those of this step appear while `fade` goes from 0 to 1
  veil(ctx, frame, fade) {
    eachCell(frame, (cell, x, y, width, height) => {
      const state = frame.state(cell);
      const covered = state === "hidden" || (state === "new" && fade < 1);
      if (!covered && (frame.image || state === "known")) return;
      ctx.fillStyle = covered ? VEIL : NO_IMAGE;
      ctx.globalAlpha = state === "new" && covered ? 1 - fade : 1;
      ctx.fillRect(x, y, width, height);
    });
    ctx.globalAlpha = 1;
  }

  cells(frame, look) {
    const { ctx } = this;
    const { view } = this.session;
    eachCell(frame, (cell, left, top, across, down) => {
      const [[x, y], width, height] = [view.toCanvas(left, top), across * view.scale, down * view.scale];
      const thick = Math.min(2, Math.max(0.75, width / 8));
      const state = frame.state(cell);
      if (state === "hidden") {
        [ctx.lineWidth, ctx.strokeStyle] = [1, "rgb(255 255 255 / .22)"];
        ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
      }
      if (state !== "new" && !(look.confidence && state === "old")) return;
      const colour = (alpha) => (look.confidence ? confidenceColour(frame.confidence[cell], alpha) : `rgb(255 255 255 / ${alpha})`);
      if (look.confidence) {
        ctx.fillStyle = colour(state === "new" ? 0.45 : 0.22);
        ctx.fillRect(x, y, width, height);
      }
      if (state === "new") {
        [ctx.lineWidth, ctx.strokeStyle] = [thick, colour(1)];
        ctx.strokeRect(x + thick / 2, y + thick / 2, width - thick, height - thick);
      }
    });
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

// call `act` with each cell of a frame's grid and its place in pixels of the image as it is shown
function eachCell({ box, grid }, act) {
  const [left, top, width, height] = box;
  const [across, down] = [width / grid, height / grid];
  for (let cell = 0; cell < grid ** 2; cell++) act(cell, left + (cell % grid) * across, top + Math.floor(cell / grid) * down, across, down);
}
