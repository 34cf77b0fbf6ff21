// What the server sent of a fill, made ready to be drawn. Places are in pixels of the image as it is shown.

import { bitmapOf } from "./api.js";

// turns [left, top, width, height] in pixels of an image into those of the image as it is shown
export function placing(base) {
  const scale = [base.shown[0] / base.size[0], base.shown[1] / base.size[1]];
  return ([left, top, width, height]) => [left * scale[0], top * scale[1], width * scale[0], height * scale[1]];
}

export async function readResult(event, base) {
  const placed = placing(base);
  const candidates = await Promise.all(
    event.candidates.map(async ({ image, patch, crops }) => ({
      key: image,
      patch: { box: placed(patch.box), bitmap: await bitmapOf(patch.png) },
      crops: await Promise.all(crops.map((crop) => readCrop(crop, placed))),
    })),
  );
  for (const candidate of candidates) candidate.confidence = meanConfidence(candidate.crops);
  const steps = event.steps.length;
  return { candidates, steps, numbers: event.steps, chosen: 0, position: steps + 1, fade: 1, seconds: event.seconds };
}

async function readCrop(crop, placed) {
  const [images, pasted] = await Promise.all([bitmapOf(crop.images), bitmapOf(crop.pasted)]);
  return { ...crop, box: placed(crop.box), part: placed(crop.part), images, pasted };
}

function meanConfidence(crops) {
  const values = crops.flatMap((crop) => crop.confidence.filter((_, cell) => crop.start[cell] === "1"));
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

// the crops of the chosen candidate after the step that is shown, as `Scene` draws them
export function frames({ candidates, chosen, position }) {
  return candidates[chosen].crops.map((crop) => {
    const row = (Math.max(position, 1) - 1) * crop.resolution;
    return { ...crop, image: crop.images, from: [0, row, crop.resolution, crop.resolution], state: (cell) => stateOf(crop, cell, position) };
  });
}

// known, hidden, new (revealed in this step) or old, after a step counted from 1; 0 = before the first
function stateOf(crop, cell, step) {
  if (crop.start[cell] !== "1") return "known";
  if (step === 0) return "hidden";
  const hidden = (at) => (at === 0 ? crop.start : crop.masks[at - 1])[cell] === "1";
  if (hidden(step)) return "hidden";
  return hidden(step - 1) ? "new" : "old";
}

// tokens that are hidden after a step
export function numHidden(result, step) {
  const count = (text) => [...text].filter((letter) => letter === "1").length;
  const crops = result.candidates[result.chosen].crops;
  return crops.reduce((sum, crop) => sum + count(step === 0 ? crop.start : crop.masks[step - 1]), 0);
}

// a candidate over its image, as a new image
export function merged(base, candidate) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = base.shown;
  const ctx = canvas.getContext("2d");
  ctx.drawImage(base.bitmap, 0, 0, ...base.shown);
  ctx.drawImage(candidate.patch.bitmap, ...candidate.patch.box);
  return { ...base, key: candidate.key, bitmap: canvas, filled: true };
}

// the part of the image around the hole, as a square of `side` pixels
export function thumbnail(canvas, base, candidate, side) {
  const [x, y, width, height] = candidate.patch.box;
  const length = Math.min(Math.max(width, height) * 1.7, Math.max(...base.shown));
  const within = (middle, all) => (all < length ? (all - length) / 2 : Math.min(Math.max(0, middle - length / 2), all - length));
  const [left, top] = [within(x + width / 2, base.shown[0]), within(y + height / 2, base.shown[1])];
  const ctx = canvas.getContext("2d");
  ctx.setTransform(side / length, 0, 0, side / length, (-left * side) / length, (-top * side) / length);
  ctx.imageSmoothingEnabled = side / length < 3;
  ctx.drawImage(base.bitmap, 0, 0, ...base.shown);
  ctx.drawImage(candidate.patch.bitmap, ...candidate.patch.box);
}

// a fill that is much enlarged to fit its hole looks soft, which is no mistake of the page
export function summary({ candidates, seconds }) {
  const enlarged = Math.max(0, ...candidates[0].crops.map((crop) => crop.box[2] / crop.resolution));
  const soft = enlarged > 4 ? `, enlarged ${enlarged.toFixed(0)} times: soft` : "";
  return `${candidates.length === 1 ? "Filled" : `${candidates.length} candidates`} in ${seconds.toFixed(1)} s${soft}.`;
}
