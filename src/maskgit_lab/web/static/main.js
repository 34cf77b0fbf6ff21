// The page: what happens when, between the image, the hole, the server and the result.

import * as api from "./api.js";
import { offerExamples, wireFiles } from "./files.js";
import { oldPlace, wireGrowing } from "./grow.js";
import { History } from "./history.js";
import { Hole } from "./hole.js";
import { Input } from "./input.js";
import { Live } from "./live.js";
import { Replay } from "./replay.js";
import { merged, readResult, summary } from "./result.js";
import { Scene } from "./scene.js";
import { Settings } from "./settings.js";
import { View } from "./view.js";

const by = (id) => document.getElementById(id);
const canvas = by("canvas");
const session = {
  base: null, // key, name, bitmap, size, shown, transparent: the image that is painted on
  live: null, // a fill while it runs
  result: null, // of a fill, while it is shown
  busy: false,
  tool: "brush",
  size: 20, // of the brush, in pixels of the image
  pointer: null, // where the brush is, in pixels of the image
  look: { confidence: true, wipe: 0 },
};
session.view = new View(canvas);
const history = new History(() => showState());
session.hole = new Hole((undo, redo, bytes) => history.keep({ undo, redo, bytes }));
const scene = new Scene(canvas, session);
const replay = new Replay(session, scene, { chosen: () => showState() });
let settings = null;
let cancelFill = null;
let lastSaid = -Infinity; // when the status last told of a step, in milliseconds

function say(text) {
  by("status").textContent = text;
}

function complain(error) {
  if (!(error instanceof api.Refused)) console.error(error);
  by("error-text").textContent = error instanceof api.Refused ? error.message : "Something went wrong in this page.";
  by("error").hidden = false;
}

function showState() {
  const { base, result, busy, hole } = session;
  by("main").dataset.state = !base ? "empty" : busy ? "busy" : result ? "result" : "paint";
  by("main").toggleAttribute("data-filled", Boolean(base?.filled));
  if (!base) return;
  by("undo").disabled = busy || history.done.length === 0;
  by("redo").disabled = busy || history.undone.length === 0;
  by("clear").disabled = busy || Boolean(result) || hole.empty;
  by("fill").disabled = !result && hole.empty;
  by("fill").hidden = busy;
  by("fill").textContent = result ? "Fill again" : "Fill the hole";
  by("busy").hidden = !busy;
  for (const id of ["open", "load-mask", "grow"]) by(id).disabled = busy;
  by("download").href = api.downloadAddress(result ? result.candidates[result.chosen].key : base.key);
  scene.ask();
}

async function open(file, name) {
  if (session.busy || !settings) return;
  by("error").hidden = true;
  const { max_upload_bytes: most } = settings.about.limits;
  try {
    if (file.size > most) throw new api.Refused(`${name} has ${(file.size / 1e6).toFixed(1)} MB, more than the ${most / 1e6} MB that are taken.`);
    say(`Opening ${name} …`);
    const told = await api.openImage(file, name);
    const bitmap = await api.view(told.image);
    const painted = told.transparent ? await api.transparentHole(told.image) : null;
    replay.close();
    session.result = null;
    session.base = described(told, bitmap);
    session.hole.reset(told.shown);
    const focusGoes = document.activeElement === document.body || by("start").contains(document.activeElement);
    showState();
    if (focusGoes) canvas.focus({ preventScroll: true });
    session.view.show(told.shown);
    chooseSize();
    if (painted) session.hole.load(painted);
    history.clear();
    const [width, height] = told.size;
    say(`${told.name}, ${width} × ${height}. ${painted ? "What is transparent is the hole." : "Paint what is to be filled."}`);
  } catch (error) {
    say("");
    complain(error);
  }
}

// an image as the server told of it
function described({ image, name, size, shown, transparent }, bitmap) {
  return { key: image, name, bitmap, size, shown, transparent };
}

async function openMask(file) {
  try {
    session.hole.load(await api.openMask(session.base.key, file));
    say("The mask is the hole now.");
  } catch (error) {
    complain(error);
  }
  showState();
}

async function fill() {
  if (session.result) settings.nextSeed();
  const asked = settings.read();
  if (!asked || session.busy) return;
  by("error").hidden = true;
  const stop = new AbortController();
  const live = new Live(session.base, { shown: (event) => showStep(event, asked.num_samples) });
  cancelFill = () => {
    stop.abort();
    live.end();
  };
  session.busy = true;
  leaveResult();
  session.live = live;
  showState();
  by("stage").scrollIntoView({ block: "nearest" });
  tell({ kind: "running" });
  if (document.activeElement === document.body) by("cancel").focus({ preventScroll: true });
  try {
    const request = { ...asked, image: session.base.key, hole: await session.hole.png() };
    const event = await api.fill(request, stop.signal, tell);
    const [result] = await Promise.all([readResult(event, session.base), live.seen()]);
    stop.signal.throwIfAborted();
    session.result = result;
    say(summary(event));
  } catch (error) {
    if (error.name === "AbortError") say("Cancelled.");
    else {
      say("The hole is not filled.");
      complain(error);
    }
  }
  live.end();
  [session.busy, session.live, cancelFill] = [false, null, null];
  const focusGoes = [by("cancel"), document.body].includes(document.activeElement);
  showState();
  if (session.result) replay.open();
  if (focusGoes) by("fill").focus({ preventScroll: true });
}

function tell(event) {
  if (event.kind === "step" || event.kind === "crops") session.live?.take(event);
  else if (event.kind === "waiting") {
    by("progress").removeAttribute("value");
    say(`${event.ahead} ${event.ahead === 1 ? "fill is" : "fills are"} before this one …`);
  } else if (event.kind === "running" && !by("progress").hasAttribute("value")) say("Filling …");
}

// a step has come into sight
function showStep({ step, of, candidate }, numSamples) {
  scene.ask();
  Object.assign(by("progress"), { max: of, value: step });
  const text = `Step ${step} of ${of}${numSamples > 1 ? `, candidate ${candidate + 1} of ${numSamples}` : ""}`;
  by("step-now").textContent = text;
  const now = performance.now();
  if (now - lastSaid < 800) return; // readers of the screen say every text
  lastSaid = now;
  say(text);
}

// back to the hole as it was painted
function leaveResult() {
  by("progress").removeAttribute("value");
  by("step-now").textContent = "";
  lastSaid = -Infinity;
  session.result = null;
  replay.close();
}

// the chosen candidate becomes the image; undo brings the result back
function keepCandidate() {
  const { result, base, hole } = session;
  if (!result) return;
  const next = merged(base, result.candidates[result.chosen]);
  const painted = hole.snapshot();
  const restore = () => {
    session.base = base;
    session.result = result;
    hole.restore(painted);
    replay.open();
  };
  const forward = () => {
    leaveResult();
    session.base = next;
    hole.reset(next.shown);
  };
  forward();
  history.keep({ undo: restore, redo: forward, bytes: painted.data.length, ofResult: true });
  say("Kept. Paint what is to be filled next.");
  showState();
}

// a larger canvas, whose margin is the hole; undo brings the smaller one back
async function grow(margins) {
  const { base: asked, result, hole } = session;
  if (session.busy || !asked) return false;
  by("error").hidden = true;
  try {
    const told = await api.grow(result ? result.candidates[result.chosen].key : asked.key, margins);
    const bitmap = await api.view(told.image);
    if (session.busy || session.base !== asked) return false;
    keepCandidate();
    const { base } = session;
    const next = { ...described(told, bitmap), filled: base.filled };
    const [before, after] = [hole.snapshot(), hole.grown(next.shown, oldPlace(base, next, margins))];
    const go = (to, painted) => () => {
      session.base = to;
      hole.restore(painted);
      session.view.show(to.shown);
    };
    go(next, after)();
    history.keep({ undo: go(base, before), redo: go(next, after), bytes: before.data.length + after.data.length });
    chooseSize();
    by("stage").scrollIntoView({ block: "nearest" });
    say(`${next.size[0]} × ${next.size[1]} now. The margin is the hole.`);
    showState();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}


const painting = {
  begin(point) {
    keepCandidate(); // who paints on a result keeps it
    session.hole.begin(session.tool, session.size, point);
    return true;
  },
  to(point) {
    session.hole.to(point);
  },
  end() {
    session.hole.end();
    showState();
  },
  cancel() {
    session.hole.cancel();
  },
};

// the slider goes from one pixel to half of the shorter side, finely for thin brushes
function chooseSize() {
  const most = Math.max(2, Math.min(...session.base.shown) / 2);
  session.size = most ** (Number(by("size").value) / 100);
  by("size").setAttribute("aria-valuetext", `${session.size.toFixed(session.size < 10 ? 1 : 0)} pixels`);
  scene.ask();
}

function changeSize(by_) {
  by("size").value = Number(by("size").value) + by_;
  chooseSize();
}

function chooseTool(name) {
  session.tool = name;
  document.querySelector(`input[name=tool][value=${name}]`).checked = true;
  scene.ask();
}

function step(way) {
  if (session.busy || !session.base) return;
  session.hole.cancel();
  // the hole does not change below a result: a step back leaves the result first
  const leaves = session.result && (way === "undo" || !history.undone.at(-1)?.ofResult);
  if (leaves) leaveResult();
  if (!leaves || way === "redo") history[way]();
  showState();
}

const input = new Input(canvas, session, scene, {
  painting,
  shortcuts: {
    b: () => chooseTool("brush"),
    r: () => chooseTool("box"),
    e: () => chooseTool("eraser"),
    "[": () => changeSize(-6),
    "]": () => changeSize(6),
    "+": () => input.zoom(1),
    "=": () => input.zoom(1),
    "-": () => input.zoom(-1),
    0: () => input.zoom(0),
  },
});

function wireControls() {
  const click = (id, act) => by(id).addEventListener("click", act);
  for (const radio of document.querySelectorAll("input[name=tool]")) radio.addEventListener("change", () => chooseTool(radio.value));
  by("size").addEventListener("input", chooseSize);
  click("undo", () => step("undo"));
  click("redo", () => step("redo"));
  click("clear", () => {
    session.hole.clear();
    showState();
  });
  click("zoom-in", () => input.zoom(1));
  click("zoom-out", () => input.zoom(-1));
  click("zoom-fit", () => input.zoom(0));
  click("fill", fill);
  click("cancel", () => cancelFill?.());
  click("paint-on", keepCandidate);
  click("edit-hole", () => {
    leaveResult();
    say("The hole is as it was painted.");
    showState();
    canvas.focus();
  });
  click("error-close", () => {
    by("error").hidden = true;
    canvas.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancelFill?.();
    const typing = event.target.matches?.("input[type=number]");
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || typing) return;
    event.preventDefault();
    step(event.shiftKey ? "redo" : "undo");
  });
  new ResizeObserver(() => {
    session.view.resized();
    scene.ask();
  }).observe(canvas);
}

async function start() {
  wireControls();
  wireFiles({ open, openMask });
  wireGrowing(grow);
  try {
    const about = await api.about();
    by("run").textContent = `${about.run} · ${about.resolution} × ${about.resolution}`;
    settings = new Settings(about);
    offerExamples(about.examples, { open, complain });
    if (matchMedia("(max-width: 860px)").matches) by("panel").open = false;
  } catch (error) {
    complain(error);
  }
  showState();
}

start();
