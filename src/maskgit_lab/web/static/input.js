// Paint, zoom and move on the canvas: mouse, pen, one finger or two, and the keyboard.

const WHEEL = 0.0022; // of zoom a pixel of the wheel
const KEY_STEPS = 40; // arrow presses across the shorter side of the image
const ZOOM_STEP = 1.4;
const FINGER = 4; // CSS pixels that a finger moves before it paints: a second one may follow, to zoom

export class Input {
  // `painting` hears begin, to, end and cancel with pixels of the image; `shortcuts` maps keys to what they do
  constructor(canvas, session, scene, { painting, shortcuts }) {
    Object.assign(this, { canvas, session, scene, painting, shortcuts });
    this.pointers = new Map();
    [this.pen, this.pinch, this.moving, this.corner] = [false, null, false, false];
    this.touched = null; // where a finger is that may yet become one of two
    const on = (name, handler) => canvas.addEventListener(name, handler.bind(this), { passive: false });
    on("pointerdown", this.down);
    on("pointermove", this.move);
    on("pointerup", this.up);
    on("pointercancel", this.cancelled);
    on("pointerleave", this.left);
    on("wheel", this.wheel);
    on("keydown", this.key);
    on("keyup", this.keyUp);
    on("blur", this.blurred);
    on("focus", this.focused);
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  get usable() {
    return Boolean(this.session.base) && !this.session.busy;
  }

  down(event) {
    if (!this.usable) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    if (this.pointers.size === 2) {
      this.painting.cancel();
      [this.pen, this.touched] = [false, null];
      this.pinch = this.fingers();
    } else if (event.button === 1) {
      event.preventDefault();
      this.moving = true;
    } else if (event.button === 0 && this.pointers.size === 1) {
      this.at(event);
      if (event.pointerType === "touch") this.touched = this.place(event);
      else this.pen = this.painting.begin(this.session.pointer);
    }
  }

  move(event) {
    if (!this.usable) return;
    const before = this.pointers.get(event.pointerId);
    if (before) this.pointers.set(event.pointerId, this.place(event));
    const { view } = this.session;
    if (this.touched && Math.hypot(...this.place(event).map((value, i) => value - this.touched[i])) > FINGER) this.beginTouch();
    if (this.pinch && this.pointers.size === 2) {
      const now = this.fingers();
      view.zoom(now.apart / this.pinch.apart, now.middle);
      view.move(now.middle[0] - this.pinch.middle[0], now.middle[1] - this.pinch.middle[1]);
      this.pinch = now;
    } else if (this.moving && before) {
      const place = this.place(event);
      view.move(place[0] - before[0], place[1] - before[1]);
    } else if (this.pen) {
      for (const part of event.getCoalescedEvents?.() ?? [event]) this.painting.to(view.toImage(...this.place(part)));
    }
    if (event.pointerType !== "touch" || this.pen) this.at(event);
    this.scene.ask();
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.touched) this.beginTouch();
    if (this.pen) {
      this.at(event);
      this.painting.to(this.session.pointer);
      this.painting.end();
    }
    this.released(event);
  }

  beginTouch() {
    this.pen = this.painting.begin(this.session.view.toImage(...this.touched));
    this.touched = null;
  }

  cancelled(event) {
    this.pointers.delete(event.pointerId);
    this.painting.cancel();
    this.released(event);
  }

  released(event) {
    [this.pen, this.moving, this.touched] = [false, false, null];
    if (this.pointers.size < 2) this.pinch = null;
    if (event.pointerType === "touch") this.session.pointer = null;
    this.scene.ask();
  }

  left() {
    if (!this.pen) this.session.pointer = null;
    this.scene.ask();
  }

  at(event) {
    this.session.pointer = this.session.view.toImage(...this.place(event));
  }

  fingers() {
    const [[ax, ay], [bx, by]] = [...this.pointers.values()];
    return { apart: Math.max(1, Math.hypot(bx - ax, by - ay)), middle: [(ax + bx) / 2, (ay + by) / 2] };
  }

  // with Ctrl, which a pinch on a touchpad also sends, the wheel zooms; else it moves an image that is zoomed in
  wheel(event) {
    if (!this.usable) return;
    const { view } = this.session;
    if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(-event.deltaY * WHEEL), this.place(event));
    else if (!view.fitted) view.move(-event.deltaX, -event.deltaY);
    else return;
    event.preventDefault();
    this.scene.ask();
  }

  zoom(direction) {
    const { view } = this.session;
    if (direction === 0) view.fit();
    else view.zoom(ZOOM_STEP ** direction);
    this.scene.ask();
  }

  key(event) {
    if (!this.usable || event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const shortcut = this.shortcuts[event.key.toLowerCase()];
    if (way) this.step(way, event.shiftKey);
    else if (event.key === " ") this.space(event);
    else if (event.key === "Escape" && (this.pen || this.corner)) this.stopKeys();
    else if (shortcut) shortcut();
    else return;
    event.preventDefault();
    this.scene.ask();
  }

  step([dx, dy], fine) {
    const { view } = this.session;
    const length = fine ? 1 : Math.max(1, Math.round(Math.min(...view.size) / KEY_STEPS));
    const [x, y] = this.cursor();
    const within = (value, all) => Math.min(Math.max(value, 0.5), all - 0.5);
    this.session.pointer = [within(x + dx * length, view.size[0]), within(y + dy * length, view.size[1])];
    if (this.pen || this.corner) this.painting.to(this.session.pointer);
    view.reveal(this.session.pointer);
  }

  // hold to paint; with the rectangle, once for each corner
  space(event) {
    if (event.repeat) return;
    const here = this.cursor();
    if (this.corner) {
      this.painting.to(here);
      this.painting.end();
      this.corner = false;
    } else if (this.session.tool === "box") this.corner = this.painting.begin(here);
    else this.pen = this.painting.begin(here);
  }

  keyUp(event) {
    if (event.key !== " " || !this.pen) return;
    this.pen = false;
    this.painting.end();
    this.scene.ask();
  }

  // in the middle of the pixel where the keyboard's cursor is, at first that of the image
  cursor() {
    this.session.pointer ??= this.session.view.size.map((length) => length / 2);
    this.session.pointer = this.session.pointer.map((value) => Math.floor(value) + 0.5);
    return this.session.pointer;
  }

  stopKeys() {
    this.painting.cancel();
    [this.pen, this.corner] = [false, false];
  }

  focused() {
    if (this.canvas.matches(":focus-visible") && this.session.base) this.cursor();
    this.scene.ask();
  }

  blurred() {
    if (this.pointers.size === 0) {
      this.stopKeys();
      this.session.pointer = null;
    }
    this.scene.ask();
  }
}
