// Confidence as a colour: violet = unsure, green, yellow = sure; the order of lightness also serves who sees no colours.
// Of hundreds of codes even a good one may have a probability of 0.1: small ones are told apart by a power below 1.

const STOPS = [[72, 36, 117], [64, 82, 139], [41, 120, 142], [32, 164, 134], [109, 205, 89], [241, 229, 29]];

const POWER = 0.4;

export const confidenceColour = (probability, alpha = 1) => colourAt(Math.min(Math.max(probability, 0), 1) ** POWER, alpha);

function colourAt(share, alpha = 1) {
  const place = share * (STOPS.length - 1);
  const low = Math.min(Math.floor(place), STOPS.length - 2);
  const mix = STOPS[low].map((part, i) => Math.round(part + (place - low) * (STOPS[low + 1][i] - part)));
  return `rgb(${mix.join(" ")} / ${alpha})`;
}

export function drawLegend(canvas) {
  const ctx = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    ctx.fillStyle = colourAt(x / (canvas.width - 1));
    ctx.fillRect(x, 0, 1, canvas.height);
  }
}

// the share of tokens that is still hidden over the steps
export function drawCurve(canvas, shares, colour) {
  const sharp = Math.max(1, window.devicePixelRatio);
  const [width, height] = [72, 44];
  [canvas.width, canvas.height] = [width * sharp, height * sharp];
  const ctx = canvas.getContext("2d");
  ctx.scale(sharp, sharp);
  [ctx.strokeStyle, ctx.lineWidth, ctx.lineJoin] = [colour, 2, "round"];
  ctx.beginPath();
  shares.forEach((share, i) => ctx.lineTo(3 + (i / (shares.length - 1)) * (width - 6), 4 + (1 - share) * (height - 8)));
  ctx.stroke();
}
