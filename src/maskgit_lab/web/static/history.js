// Steps back and forth, whatever they change; the oldest are forgotten when they hold too many bytes.

const MOST_BYTES = 200e6;
const MOST_STEPS = 200;

export class History {
  constructor(changed) {
    this.changed = changed;
    this.clear();
  }

  clear() {
    [this.done, this.undone] = [[], []];
    this.changed();
  }

  // a step { undo, redo, bytes } that has been taken
  keep(step) {
    this.done.push(step);
    this.undone = [];
    let total = this.done.reduce((sum, step) => sum + step.bytes, 0);
    while (this.done.length > 1 && (total > MOST_BYTES || this.done.length > MOST_STEPS)) total -= this.done.shift().bytes;
    this.changed();
  }

  undo() {
    this.go(this.done, this.undone, "undo");
  }

  redo() {
    this.go(this.undone, this.done, "redo");
  }

  go(from, to, way) {
    const step = from.pop();
    if (!step) return;
    step[way]();
    to.push(step);
    this.changed();
  }
}
