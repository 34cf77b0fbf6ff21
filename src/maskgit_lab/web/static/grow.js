// Grow the image: pixels on each side, whose margin is then the hole.

const SIDES = ["left", "top", "right", "bottom"];
const by = (id) => document.getElementById(id);

// `grow` hears { left, top, right, bottom } and says whether it was done
export function wireGrowing(grow) {
  const fields = SIDES.map((side) => by(`grow-${side}`));
  by("grow-form").addEventListener("submit", async (event) => {
    event.preventDefault(); // which the browser sends when all fields hold what they may
    const margins = Object.fromEntries(SIDES.map((side, i) => [side, Number(fields[i].value)]));
    if (await grow(margins)) for (const field of fields) field.value = 0;
  });
}

// where the old image is on the larger one, in pixels as that is shown: left, top, right, bottom
export function oldPlace(before, after, { left, top }) {
  const scale = [after.shown[0] / after.size[0], after.shown[1] / after.size[1]];
  return [left * scale[0], top * scale[1], (left + before.size[0]) * scale[0], (top + before.size[1]) * scale[1]];
}
