// Where the image lies on the canvas: zoom and shift between pixels of the image and CSS pixels of the canvas.

const MOST = 64; // CSS pixels for one of the image
const MARGIN = 14; // CSS pixels around the whole image

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.size = [1, 1]; // of the image
    [this.scale, this.x, this.y] = [1, 0, 0];
    this.fitted = true;
  }

  get area() {
    return [this.canvas.clientWidth, this.canvas.clientHeight];
  }

  get least() {
    const [width, height] = this.area;
    return Math.min((width - 2 * MARGIN) / this.size[0], (height - 2 * MARGIN) / this.size[1]);
  }

  show(size) {
    this.size = size;
    this.fit();
  }

  fit() {
    const [width, height] = this.area;
    this.scale = Math.max(this.least, 1e-3);
    this.x = (width - this.size[0] * this.scale) / 2;
    this.y = (height - this.size[1] * this.scale) / 2;
    this.fitted = true;
  }

  resized() {
    if (this.fitted) this.fit();
    else this.keepInside();
  }

  // zoom around a point of the canvas, by itself its middle
  zoom(factor, [px, py] = this.area.map((length) => length / 2)) {
    const scale = Math.min(Math.max(this.scale * factor, this.least), Math.max(MOST, this.least));
    const [ix, iy] = this.toImage(px, py);
    this.scale = scale;
    [this.x, this.y] = [px - ix * scale, py - iy * scale];
    this.fitted = scale <= this.least * 1.001;
    if (this.fitted) this.fit();
    else this.keepInside();
  }

  move(dx, dy) {
    if (this.fitted) return;
    this.x += dx;
    this.y += dy;
    this.keepInside();
  }

  // no part of the canvas stays empty that the image could fill
  keepInside() {
    const inside = (shift, length, area) => (length <= area ? (area - length) / 2 : Math.min(MARGIN, Math.max(area - length - MARGIN, shift)));
    const [width, height] = this.area;
    this.x = inside(this.x, this.size[0] * this.scale, width);
    this.y = inside(this.y, this.size[1] * this.scale, height);
  }

  // bring a point of the image into sight
  reveal([ix, iy]) {
    const [[px, py], [width, height]] = [this.toCanvas(ix, iy), this.area];
    const edge = 40;
    const missing = (place, area) => (place < edge ? edge - place : place > area - edge ? area - edge - place : 0);
    this.move(missing(px, width), missing(py, height));
  }

  toImage(px, py) {
    return [(px - this.x) / this.scale, (py - this.y) / this.scale];
  }

  toCanvas(ix, iy) {
    return [ix * this.scale + this.x, iy * this.scale + this.y];
  }
}
