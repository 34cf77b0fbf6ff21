// The form of settings: options and bounds come from the server, the values at first are those of the run.

import { drawCurve } from "./colours.js";

const by = (id) => document.getElementById(id);
const AS_RUN = ""; // an option of this page only: as the run has it
const SLIDERS = ["num_steps", "sweet_spot", "token_temperature", "choice_temperature"];
const SWITCHES = ["seamless", "match_histogram"];
const LARGEST_SEED = 2 ** 32 - 1;

export class Settings {
  constructor(about) {
    this.about = about;
    const { defaults, limits } = about;
    fillSelect("schedule", about.schedules.map(({ name }) => name), defaults.schedule);
    fillSelect("policy", about.policies.map(({ name }) => name), defaults.policy);
    fillSelect("strategy", about.strategies);
    const words = { crop: "crop around each hole", resize: "shrink the whole image", original: "only in the run's size" };
    for (const option of by("strategy").options) option.text = words[option.value] ?? option.value;
    by("num_steps").max = limits.max_steps;
    by("num_samples").max = limits.max_samples;
    by("num_samples").value = Math.min(3, limits.max_samples);
    by("settings").addEventListener("submit", (event) => event.preventDefault());
    by("schedule").addEventListener("change", () => this.describeSchedule());
    by("policy").addEventListener("change", () => this.describePolicy());
    for (const id of SLIDERS) by(id).addEventListener("input", () => this.follow(id));
    by("dice").addEventListener("click", () => (by("seed").value = Math.floor(Math.random() * 1e6)));
    by("as-run").addEventListener("click", () => this.asRun());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.describeSchedule());
    this.asRun();
  }

  asRun() {
    const { defaults } = this.about;
    by("schedule").value = defaults.schedule;
    by("policy").value = defaults.policy;
    by("num_steps").value = defaults.num_steps;
    by("sweet_spot").max = defaults.num_steps;
    by("sweet_spot").value = defaults.sweet_spot ?? defaults.num_steps;
    by("token_temperature").max = Math.max(2, defaults.token_temperature);
    by("token_temperature").value = defaults.token_temperature;
    by("choice_temperature").max = Math.max(10, defaults.choice_temperature);
    by("choice_temperature").value = defaults.choice_temperature;
    by("seed").value = defaults.seed;
    for (const id of SWITCHES) by(id).checked = defaults[id];
    this.describeSchedule();
    this.describePolicy();
    SLIDERS.forEach((id) => this.follow(id));
  }

  // show a slider's number; the sweet spot goes as far as the steps
  follow(id) {
    if (id === "num_steps") {
      const [steps, spot] = [Number(by("num_steps").value), by("sweet_spot")];
      const all = spot.value === spot.max;
      spot.max = steps;
      if (all) spot.value = steps;
      this.follow("sweet_spot");
    }
    const value = by(id).value;
    const all = id === "sweet_spot" && value === by(id).max;
    by(`${id}-out`).value = all ? "all" : value;
    by(id).setAttribute("aria-valuetext", all ? `all ${value} steps` : value);
  }

  describeSchedule() {
    const found = this.about.schedules.find(({ name }) => name === by("schedule").value);
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    drawCurve(by("curve"), found?.curve ?? [], colour);
  }

  describePolicy() {
    const found = this.about.policies.find(({ name }) => name === by("policy").value);
    by("policy-text").textContent = (found?.text ?? "").replace(/decode\.(\w+)/g, (_, key) => key.replaceAll("_", " "));
    by("policy-numbers").replaceChildren(...(found?.numbers ?? []).map(numberField));
  }

  // what a fill is asked for with; null when a field holds what it may not
  read() {
    if (!by("settings").reportValidity()) {
      by("panel").open = true;
      by("settings").querySelector(":invalid")?.focus();
      return null;
    }
    const number = (id) => Number(by(id).value);
    const asked = { num_steps: number("num_steps"), num_samples: number("num_samples"), seed: number("seed"), strategy: by("strategy").value };
    asked.sweet_spot = by("sweet_spot").value === by("sweet_spot").max ? null : number("sweet_spot");
    asked.token_temperature = number("token_temperature");
    asked.choice_temperature = number("choice_temperature");
    for (const id of SWITCHES) asked[id] = by(id).checked;
    if (by("schedule").value !== AS_RUN) asked.schedule = by("schedule").value;
    if (by("policy").value !== AS_RUN) {
      asked.policy = by("policy").value;
      const fields = [...by("policy-numbers").querySelectorAll("input")];
      asked.policy_numbers = Object.fromEntries(fields.map((field) => [field.name, Number(field.value)]));
    }
    return asked;
  }

  // other noise for the next fill
  nextSeed() {
    by("seed").value = (Number(by("seed").value) + 1) % (LARGEST_SEED + 1);
  }
}

function fillSelect(id, names, chosen) {
  const options = names.map((name) => new Option(name, name));
  if (chosen === AS_RUN) options.unshift(new Option("as the run", AS_RUN));
  by(id).replaceChildren(...options);
}

function numberField({ key, value, text }) {
  const field = document.createElement("div");
  const [label, input, hint] = ["label", "input", "p"].map((name) => document.createElement(name));
  field.className = "field";
  Object.assign(input, { type: "number", name: key, id: `policy-${key}`, value, step: "any", min: 0, required: true });
  Object.assign(label, { htmlFor: input.id, textContent: key });
  Object.assign(hint, { className: "hint", id: `policy-${key}-hint`, textContent: text });
  if (text) input.setAttribute("aria-describedby", hint.id);
  field.append(label, input, ...(text ? [hint] : []));
  return field;
}
