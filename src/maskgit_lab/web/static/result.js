// What the server sent of a fill, made ready to be drawn. Places are in pixels of the image as it is shown.

import { pngBitmap } from "./api.js";

export async function readResult(event, base) {
  const scale = [base.shown[0] / base.size[0], base.shown[1] / base.size[1]];
  const placed = ([left, top, width, height]) => [left * scale[0], top * scale[1], width * scale[0], height * scale[1]];
  const candidates = await Promise.all(
    event.candidates.map(async ({ image, patch, crops }) => ({
      key: image,
      patch: { box: placed(patch.box), bitmap: await pngBitmap(patch.png) },
      crops: await Promise.all(crops.map((crop) => readCrop(crop, placed))),
    })),
  );
  for (const candidate of candidates) candidate.confidence = meanConfidence(candidate.crops);
  const steps = event.steps.length;
  return { candidates, steps, numbers: event.steps, chosen: 0, position: steps + 1, fade: 1, seconds: event.seconds };
}

async function readCrop(crop, placed) {
  const [images, pasted] = await Promise.all([pngBitmap(crop.images), pngBitmap(crop.pasted)]);
  return { ...crop, box: placed(crop.box), part: placed(crop.part), images, pasted };
}

function meanConfidence(crops) {
  const values = crops.flatMap((crop) => crop.confidence.filter((_, cell) => crop.start[cell] === "1"));
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
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
