// A fill while it runs: what the server tells of each pass, shown one after another at a pace that the eye can follow.

import { bitmapOf } from "./api.js";
import { placing } from "./result.js";

const PACE = 80; // milliseconds that a step is seen at least
const IN_ALL = 2000; // milliseconds after the first step, from which on nothing is held back
const CALM_PACE = 400; // for whoever asked for less motion; nothing is held back at all then

export class Live {
  // `shown` is called with the event of each step that has come into sight
  constructor(base, { shown }) {
    [this.placed, this.onShown] = [placing(base), shown];
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.waiting = []; // events that are not shown yet
    this.places = new Map(); // of crops, by number
    this.candidates = new Map(); // of each candidate its crops, by number
    this.candidate = 0; // that is shown
    [this.began, this.showing, this.over] = [null, null, false];
  }

  // take an event of the server: `crops` or `step`
  take(event) {
    this.waiting.push(event);
    this.showing ??= this.show();
  }

  // wait until everything that was taken has been seen
  async seen() {
    if (this.calm) this.end();
    await this.showing;
  }

  // show nothing more
  end() {
    [this.over, this.waiting] = [true, []];
    this.wake?.();
  }

  frames() {
    return [...(this.candidates.get(this.candidate)?.values() ?? [])];
  }

  async show() {
    const pace = this.calm ? CALM_PACE : PACE;
    while (this.waiting.length > 0) {
      this.began ??= performance.now();
      const rounds = Math.floor((this.began + IN_ALL - performance.now()) / pace);
      const count = this.calm || rounds < 1 ? this.waiting.length : Math.ceil(this.waiting.length / rounds);
      await this.apply(this.waiting.splice(0, count));
      if (this.over) break;
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, pace);
      });
    }
    this.showing = null;
  }

  // of several steps at once the tokens of all of them are new, and the last image is shown
  async apply(events) {
    const steps = events.filter(({ kind }) => kind === "step");
    await Promise.all(events.filter(({ kind }) => kind === "crops").flatMap(({ crops }) => crops.map((crop) => this.begin(crop))));
    if (steps.length === 0) return;
    for (const crops of this.candidates.values()) for (const crop of crops.values()) crop.settle();
    const images = new Map();
    for (const { candidate, crops } of steps) {
      for (const news of crops) {
        const crop = this.crop(candidate, news.crop);
        crop.take(news);
        if (news.image) images.set(crop, news.image);
      }
    }
    await Promise.all([...images].map(async ([crop, image]) => crop.see(await bitmapOf(image, "image/jpeg"))));
    if (this.over) return;
    this.candidate = steps.at(-1).candidate;
    this.onShown(steps.at(-1));
  }

  async begin({ crop, box, part, pasted, grid, start }) {
    this.places.set(crop, { box: this.placed(box), part: this.placed(part), pasted: await bitmapOf(pasted), grid, start });
  }

  crop(candidate, number) {
    if (!this.candidates.has(candidate)) this.candidates.set(candidate, new Map());
    const crops = this.candidates.get(candidate);
    if (!crops.has(number)) crops.set(number, new LiveCrop(this.places.get(number)));
    return crops.get(number);
  }
}

// a frame of `Scene` that changes
class LiveCrop {
  constructor({ start, ...place }) {
    Object.assign(this, place);
    this.states = [...start].map((letter) => (letter === "1" ? "hidden" : "known"));
    this.confidence = this.states.map(() => 0);
    [this.image, this.from] = [null, [0, 0, 0, 0]];
  }

  state(cell) {
    return this.states[cell];
  }

  settle() {
    this.states = this.states.map((state) => (state === "new" ? "old" : state));
  }

  take({ new: cells, confidence, again }) {
    cells.forEach((cell, i) => ([this.states[cell], this.confidence[cell]] = ["new", confidence[i]]));
    for (const cell of again) this.states[cell] = "hidden";
  }

  see(bitmap) {
    this.image?.close();
    [this.image, this.from] = [bitmap, [0, 0, bitmap.width, bitmap.height]];
  }
}
