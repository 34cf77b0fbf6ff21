// The steps of a fill: play them, move over them by hand, choose a candidate, compare with before.

import { drawLegend } from "./colours.js";
import { numHidden, thumbnail } from "./result.js";

const SECONDS_A_STEP = [0.16, 0.45]; // least and most
const SECONDS_IN_ALL = 3.2;
const THUMBNAIL = 184; // pixels; shown half as large
const by = (id) => document.getElementById(id);

export class Replay {
  constructor(session, scene, { chosen }) {
    [this.session, this.scene, this.onChosen] = [session, scene, chosen];
    this.frame = null;
    for (const canvas of document.querySelectorAll(".legend canvas")) drawLegend(canvas);
    by("play").addEventListener("click", () => (this.frame === null ? this.play() : this.pause()));
    by("step").addEventListener("input", () => {
      this.pause();
      this.show(Number(by("step").value));
    });
    by("confidence").addEventListener("change", () => {
      session.look.confidence = by("confidence").checked;
      if (session.look.confidence && session.result.position > session.result.steps) this.show(session.result.steps);
      scene.ask();
    });
    by("wipe").addEventListener("input", () => {
      session.look.wipe = 1 - Number(by("wipe").value) / 100;
      scene.ask();
    });
  }

  // show a new result, or one that came back by undo
  open() {
    const { result, look } = this.session;
    look.wipe = 0;
    by("wipe").value = 100;
    by("step").max = result.steps + 1;
    by("result").hidden = false;
    this.candidates();
    this.show(result.steps + 1);
  }

  close() {
    this.pause();
    by("result").hidden = true;
    by("candidates").querySelector("div")?.remove();
  }

  candidates() {
    const { result, base } = this.session;
    by("candidates").querySelector("div")?.remove();
    by("candidates").hidden = result.candidates.length < 2;
    const row = document.createElement("div");
    result.candidates.forEach((candidate, number) => {
      const [label, input, canvas] = ["label", "input", "canvas"].map((name) => document.createElement(name));
      Object.assign(input, { type: "radio", name: "candidate", value: number, checked: number === result.chosen });
      input.addEventListener("change", () => this.choose(number));
      [canvas.width, canvas.height] = [THUMBNAIL, THUMBNAIL];
      thumbnail(canvas, base, candidate, THUMBNAIL);
      label.append(input, canvas, `${number + 1} · ${candidate.confidence.toFixed(2)}`);
      label.title = `Candidate ${number + 1}, mean probability of its tokens ${candidate.confidence.toFixed(3)}`;
      row.append(label);
    });
    by("candidates").append(row);
  }

  choose(number) {
    this.session.result.chosen = number;
    this.show(this.session.result.position);
    this.onChosen();
  }

  play() {
    const { result } = this.session;
    if (result.position > result.steps) this.show(0);
    const seconds = Math.min(SECONDS_A_STEP[1], Math.max(SECONDS_A_STEP[0], SECONDS_IN_ALL / result.steps));
    let began = null;
    const first = result.position;
    const next = (now) => {
      began ??= now;
      const place = first + (now - began) / 1000 / seconds;
      if (place >= result.steps + 1) {
        this.pause();
        this.show(result.steps + 1);
        return;
      }
      this.show(Math.floor(place), Math.min(1, 1.6 * (place % 1)));
      this.frame = requestAnimationFrame(next);
    };
    this.frame = requestAnimationFrame(next);
    this.button(true);
  }

  pause() {
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    this.frame = null;
    this.button(false);
  }

  button(playing) {
    by("play-icon").setAttribute("href", playing ? "#i-pause" : "#i-play");
    by("play").setAttribute("aria-label", playing ? "Pause" : "Play the steps");
  }

  show(position, fade = 1) {
    const { result } = this.session;
    [result.position, result.fade] = [position, fade];
    by("step").value = position;
    const left = position > result.steps ? 0 : numHidden(result, position);
    const name = position === 0 ? "the hole" : position > result.steps ? "result" : `step ${result.numbers[position - 1]} of ${result.numbers.at(-1)}`;
    const text = position > result.steps ? name : `${name} · ${left} hidden`;
    by("step-text").value = text;
    by("step").setAttribute("aria-valuetext", text);
    this.scene.ask();
  }
}
