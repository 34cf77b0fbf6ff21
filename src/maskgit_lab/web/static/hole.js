// The hole: a layer over the image, in the size in which it is shown; opaque where something is to be filled.

export const HOLE_COLOUR = "#c2255c";

export function layer(width, height, options) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return [canvas, canvas.getContext("2d", options)];
}

export class Hole {
  // `keep(undo, redo, bytes)` is called for every change
  constructor(keep) {
    this.keep = keep;
    this.reset([1, 1]);
  }

  reset([width, height]) {
    [this.canvas, this.ctx] = layer(width, height, { willReadFrequently: true });
    [this.before, this.beforeCtx] = layer(width, height, { willReadFrequently: true });
    this.empty = true;
    this.stroke = null;
  }

  get size() {
    return [this.canvas.width, this.canvas.height];
  }

  begin(tool, size, point) {
    const [x, y] = tool === "box" ? point : onPixels(point, size);
    this.beforeCtx.clearRect(0, 0, ...this.size);
    this.beforeCtx.drawImage(this.canvas, 0, 0);
    this.stroke = { tool, size, from: [x, y], last: [x, y], low: [x, y], high: [x, y] };
    this.to([x, y]);
  }

  to(point) {
    const { stroke, ctx } = this;
    if (!stroke) return;
    const [x, y] = stroke.tool === "box" ? point : onPixels(point, stroke.size);
    if (stroke.tool === "box") {
      [ctx.globalCompositeOperation, ctx.fillStyle] = ["copy", HOLE_COLOUR];
      ctx.drawImage(this.before, 0, 0);
      ctx.globalCompositeOperation = "source-over";
      const [[left, top], [right, bottom]] = corners(stroke.from, [x, y]);
      ctx.fillRect(left, top, right - left, bottom - top);
    } else {
      ctx.globalCompositeOperation = stroke.tool === "eraser" ? "destination-out" : "source-over";
      [ctx.strokeStyle, ctx.lineWidth, ctx.lineCap, ctx.lineJoin] = [HOLE_COLOUR, Math.max(stroke.size, 1.6), "round", "round"];
      ctx.beginPath();
      ctx.moveTo(...stroke.last);
      ctx.lineTo(x + 1e-3, y);
      ctx.stroke();
    }
    stroke.last = [x, y];
    stroke.low = stroke.low.map((low, i) => Math.min(low, [x, y][i]));
    stroke.high = stroke.high.map((high, i) => Math.max(high, [x, y][i]));
  }

  end() {
    const { stroke } = this;
    if (!stroke) return;
    this.stroke = null;
    const reach = stroke.tool === "box" ? 2 : stroke.size / 2 + 2;
    this.changed(stroke.low.map((low) => low - reach), stroke.high.map((high) => high + reach));
  }

  cancel() {
    if (!this.stroke) return;
    this.stroke = null;
    this.ctx.globalCompositeOperation = "copy";
    this.ctx.drawImage(this.before, 0, 0);
  }

  // every pixel is hole or not; a step back restores what was in the rectangle
  changed(low, high) {
    const [width, height] = this.size;
    const [left, top] = low.map((value) => Math.max(0, Math.floor(value)));
    const [right, bottom] = [Math.min(width, Math.ceil(high[0])), Math.min(height, Math.ceil(high[1]))];
    if (right <= left || bottom <= top) return;
    const place = [left, top, right - left, bottom - top];
    const now = this.ctx.getImageData(...place);
    const was = this.beforeCtx.getImageData(...place);
    decide(now.data);
    const put = (content) => () => {
      this.ctx.putImageData(content, left, top);
      this.look();
    };
    put(now)();
    this.keep(put(was), put(now), now.data.length * 2);
  }

  whole(draw) {
    this.beforeCtx.clearRect(0, 0, ...this.size);
    this.beforeCtx.drawImage(this.canvas, 0, 0);
    this.ctx.globalCompositeOperation = "source-over";
    this.ctx.clearRect(0, 0, ...this.size);
    draw(this.ctx);
    this.changed([0, 0], this.size);
  }

  clear() {
    if (!this.empty) this.whole(() => {});
  }

  // take a bitmap that is opaque where the hole is
  load(bitmap) {
    this.whole((ctx) => ctx.drawImage(bitmap, 0, 0, ...this.size));
  }

  look() {
    const words = new Uint32Array(this.ctx.getImageData(0, 0, ...this.size).data.buffer);
    this.empty = words.every((word) => word === 0);
  }

  snapshot() {
    return this.ctx.getImageData(0, 0, ...this.size);
  }

  restore(content) {
    this.reset([content.width, content.height]);
    this.ctx.putImageData(content, 0, 0);
    this.look();
  }

  // on a larger canvas: what was painted, at left, top, right, bottom, and everything around it
  grown([width, height], [left, top, right, bottom]) {
    const [, ctx] = layer(width, height);
    const inside = [Math.ceil(left), Math.ceil(top), Math.floor(right) - Math.ceil(left), Math.floor(bottom) - Math.ceil(top)];
    ctx.fillStyle = HOLE_COLOUR;
    ctx.fillRect(0, 0, width, height);
    ctx.clearRect(...inside);
    ctx.rect(...inside);
    ctx.clip();
    ctx.drawImage(this.canvas, left, top, right - left, bottom - top);
    const content = ctx.getImageData(0, 0, width, height);
    decide(content.data);
    return content;
  }

  async png() {
    const blob = await new Promise((done) => this.canvas.toBlob(done, "image/png"));
    const octets = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let i = 0; i < octets.length; i += 0x8000) text += String.fromCharCode(...octets.subarray(i, i + 0x8000));
    return btoa(text);
  }
}

// a thin brush paints the pixel it is in, and not quarters of four
function onPixels([x, y], size) {
  return size < 4 ? [Math.floor(x) + 0.5, Math.floor(y) + 0.5] : [x, y];
}

function corners([x0, y0], [x1, y1]) {
  const sides = (a, b) => [Math.floor(Math.min(a, b)), Math.max(Math.floor(Math.min(a, b)) + 1, Math.ceil(Math.max(a, b)))];
  const [[left, right], [top, bottom]] = [sides(x0, x1), sides(y0, y1)];
  return [[left, top], [right, bottom]];
}

const RGB = [1, 3, 5].map((i) => parseInt(HOLE_COLOUR.slice(i, i + 2), 16));

function decide(data) {
  for (let i = 0; i < data.length; i += 4) {
    const hole = data[i + 3] >= 128;
    data[i] = hole ? RGB[0] : 0;
    data[i + 1] = hole ? RGB[1] : 0;
    data[i + 2] = hole ? RGB[2] : 0;
    data[i + 3] = hole ? 255 : 0;
  }
}
