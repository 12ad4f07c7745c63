// Lines of code in the live views: brief on the page, whole in their titles, a press away from their source.

import { el } from "/static/js/dom.js";
import { count, visible } from "/static/js/format.js";

const TITLE = 600; // characters of a name that a title shows: a target may give one of ten thousand

/** A text's beginning, with control characters written out, of `most` characters at most. */
export function brief(text, most = 60) {
  const shown = [...visible(String(text).slice(0, most * 2 + 2))];
  return shown.length <= most ? shown.join("") : `${shown.slice(0, most - 1).join("")}…`;
}

/** The last two parts of a path, or the last alone: enough to know a module, short enough for a line. */
export function file(path) {
  const parts = String(path).slice(-400).split("/");
  const two = parts.slice(-2).join("/");
  return brief(two.length <= 30 ? two : parts.at(-1), 40);
}

/** `file:line`; nothing for what stands in no file, such as an idle hub. */
export const where = (place) => (place.file ? `${file(place.file)}:${place.line}` : "");

/** `function (file:line)`, whole. */
export const whole = (place) => brief(place.file ? `${place.function} (${place.file}:${place.line})` : place.function, TITLE);

/** Which code a file is: of gevent, of VOLTTRON and what it ships, of a library, of Python itself, or the agent's own. */
export function origin(path) {
  if (/[/\\](gevent|greenlet|zope)[/\\]/.test(path) || /greenlet\.(c|cpp|pyx?)$/.test(path)) return "gevent";
  if (/[/\\](site|dist)-packages[/\\]/.test(path)) return /-packages[/\\](volttron|historian|platform_driver)[/\\]/.test(path) ? "volttron" : "library";
  return /[/\\]python3\.\d+[/\\]/.test(path) || /^<frozen/.test(path) ? "python" : "own";
}

/** Where somebody waits: the innermost frame that is not of gevent itself; null without frames. */
export const waitsAt = (stack) => stack.find((place) => origin(place.file) !== "gevent") ?? stack[0] ?? null;

export const same = (one, other) => one?.function === other?.function && one?.file === other?.file && one?.line === other?.line;

/** A frame as a button that shows its source; `show(place)`. */
export function frame(place, show, key) {
  return el("button", { type: "button", class: "frame-link", title: whole(place), disabled: !place.file, dataset: key ? { key } : {}, on: { click: () => show(place) } },
    el("span", { class: "function" }, brief(place.function)), el("span", { class: "sub" }, where(place)));
}

/** A stack, innermost first, as a list of buttons. */
export function frames(stack, show, name) {
  if (stack.length === 0) return el("p", { class: "hint" }, "No Python frames.");
  return el("ol", { class: "frames live-frames", "aria-label": name }, stack.map((place) => el("li", { class: `of-${origin(place.file)}` }, frame(place, show))));
}

/** Shares, 0 to 1, with as many digits as a picture has room for. */
export const share = (value) => `${(value * 100).toFixed(value > 0 && value < 0.00995 ? 2 : value < 0.0995 ? 1 : 0)} %`;

/** Time as short as it is: ns, µs, ms, s. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  for (const [unit, size] of [["s", 1], ["ms", 1e-3], ["µs", 1e-6]]) {
    if (seconds >= size * 0.9995) {
      const value = seconds / size;
      return `${value >= 99.95 ? count(value) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
    }
  }
  return seconds <= 0 ? "0 s" : `${Math.round(seconds * 1e9)} ns`;
}

/** Counts in few characters: 950, 1.2 k, 3.4 M. */
export function short(value) {
  if (value >= 999_500) return `${(value / 1e6).toFixed(value < 9.95e6 ? 1 : 0)} M`;
  if (value >= 999.5) return `${(value / 1e3).toFixed(value < 9950 ? 1 : 0)} k`;
  return value >= 9.95 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

/** Whether somebody asked their system for less motion. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** What colours and marks mean: `[class of the swatch, words]` each. */
export const legend = (...keys) => el("div", { class: "legend-row hint" }, keys.map(([kind, words]) => el("span", {}, el("span", { class: `swatch ${kind}` }), words)));

const PRESS_MS = 1000; // a pointer that is down longer does not press, or has left
let pressed = -Infinity; // when a pointer went down that is down still
addEventListener("pointerdown", () => { pressed = performance.now(); }, true);
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(() => { pressed = -Infinity; }), true);

/**
 * Calls `draw` once in the next frame, and again `least` ms later at the earliest, however often it is asked. Not while
 * something is being pressed: what is drawn anew between down and up is never clicked.
 */
export function paced(draw, least = 0) {
  let frame_ = 0;
  let timer = 0;
  let last = -Infinity;
  function run() {
    frame_ = 0;
    if (performance.now() - pressed < PRESS_MS) return later(30);
    last = performance.now();
    draw();
  }
  const later = (wait) => { timer = setTimeout(() => { timer = 0; soon(); }, wait); };
  function soon() {
    if (frame_ || timer) return;
    const wait = last + least - performance.now();
    if (wait > 0) later(wait);
    else frame_ = requestAnimationFrame(run);
  }
  soon.stop = () => {
    cancelAnimationFrame(frame_);
    clearTimeout(timer);
    frame_ = timer = 0;
  };
  return soon;
}
