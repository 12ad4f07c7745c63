// The flow view: calls and returns as they happen, a tree in time; only the rows in sight are ever drawn.

import { el, refill } from "/static/js/dom.js";
import { count } from "/static/js/format.js";
import { Steps } from "/static/js/live-flow-steps.js";
import { brief, origin, paced, span, where, whole } from "/static/js/live-places.js";

const ROW = 24; // pixels; the style sheet has the same
const DEEPEST = 24; // levels that are set in further
const SPARE = 8; // rows drawn above and below those in sight
const WAITING = 50_000; // steps that wait while the view is paused
const TWICE_MS = 500; // between the two clicks of a double click
const GLYPHS = { return: "↩", "c-return": "↩", line: "·", seen: "•", gap: "⋯" };
const SAID = { call: "call", return: "return", "c-call": "call in C", "c-return": "return in C", line: "line", seen: "seen", gap: "gap" };

/** A view: `node`, `update(document, again)`, `ended()`, `close()`. */
export function flow({ source }) {
  const steps = new Steps();
  const track = el("select", { id: "flow-track" }, el("option", { value: "" }, "All, as they happen"));
  const search = el("input", { id: "flow-search", type: "search", placeholder: "Function or file", autocomplete: "off" });
  const found = el("span", { class: "hint", role: "status" });
  const toggle = (words, on, act) => el("button", { type: "button", class: "toggle small", "aria-pressed": String(on), on: { click: act } }, el("span", { class: "lamp" }), words);
  const button = (words, act) => el("button", { type: "button", class: "small", on: { click: act } }, words);
  const followed = toggle("Follow", true, () => setFollow(followed.getAttribute("aria-pressed") !== "true"));
  const paused = toggle("Pause the view", false, () => setPause(paused.getAttribute("aria-pressed") !== "true"));
  const returns = toggle("Returns", true, () => {
    steps.returns = !steps.returns;
    returns.setAttribute("aria-pressed", String(steps.returns));
    steps.refold();
    draw();
  });
  const words = el("p", { class: "hint" }, "Waiting for the first steps…");
  const rows = el("div", { class: "flow-rows" });
  const scroller = el("div", { class: "flow-list", tabindex: 0, role: "tree", "aria-label": "Calls and returns. Up and down walk, right and left unfold and fold, Enter shows the source." }, rows);
  const node = el("div", { class: "view flow-view" },
    el("section", { class: "panel", "aria-label": "Flow" },
      el("div", { class: "table-tools" },
        el("label", { for: "flow-track" }, "Greenlet or thread"), track, el("label", { for: "flow-search" }, "Search"), search,
        button("↑", () => leap(-1)), button("↓", () => leap(1)), found, el("span", { class: "gap-between" }),
        followed, paused, returns, button("Fold all", () => fold(0)), button("Unfold all", () => fold(null))),
      scroller, words));
  node.querySelectorAll("button.small:not(.toggle)").forEach((one, index) => one.setAttribute("aria-label", ["Find the one before", "Find the next one", "Fold all", "Unfold all"][index]));
  let follow = true;
  let waiting = null; // updates that came while the view is paused
  let behind = 0;
  let lost = 0;
  let chosen = null; // a step's number
  let pressed = [null, 0]; // the last click: a step's number, when
  let wanted = "";
  const colours = new Map(); // by track, in the order they are met
  const draw = paced(paint);

  function update(document, again) {
    if (waiting) {
      waiting.push([document, again]);
      behind += document.steps.length;
      while (behind > WAITING && waiting.length > 1) {
        const [old] = waiting.shift();
        behind -= old.steps.length;
        lost += old.steps.length;
        Object.assign(waiting[0][0].places, { ...old.places, ...waiting[0][0].places });
        Object.assign(waiting[0][0].tracks, { ...old.tracks, ...waiting[0][0].tracks });
      }
    } else take(document, again);
    draw();
  }

  function take(document, again) {
    const before = track.options.length;
    steps.add(document, again);
    for (const number of steps.tracks.keys()) if (!colours.has(number)) colours.set(number, colours.size % 6);
    if (steps.tracks.size + 1 !== before) {
      const at = track.value;
      refill(track, el("option", { value: "" }, "All, as they happen"), [...steps.tracks].map(([number, name]) => el("option", { value: String(number) }, brief(name, 50))));
      track.value = at;
    }
  }

  function setPause(on) {
    paused.setAttribute("aria-pressed", String(on));
    if (on) waiting = [];
    else {
      if (lost && waiting.length) steps.dropped -= lost; // they show as a gap
      for (const [document, again] of waiting ?? []) take(document, again);
      [waiting, behind, lost] = [null, 0, 0];
    }
    draw();
  }

  function setFollow(on) {
    follow = on;
    followed.setAttribute("aria-pressed", String(on));
    draw();
  }

  function fold(depth) {
    steps.foldAll(depth);
    draw();
  }

  const matches = (number) => {
    const step = steps.step(number);
    return wanted !== "" && step.place !== null && `${step.place.function} ${step.place.file}`.toLowerCase().includes(wanted);
  };

  function paint() {
    const { rows: all } = steps;
    rows.style.height = `${all.length * ROW}px`;
    if (follow) scroller.scrollTop = all.length * ROW;
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - SPARE);
    const last = Math.min(all.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW) + SPARE);
    rows.replaceChildren(...all.slice(first, last).map((number, index) => row(number, first + index)));
    const here = chosen === null ? null : document.getElementById(`step-${chosen}`);
    if (here) scroller.setAttribute("aria-activedescendant", here.id);
    else scroller.removeAttribute("aria-activedescendant");
    const parts = [`${count(steps.list.length)} steps`];
    if (steps.rows.length !== steps.list.length) parts.push(`${count(steps.rows.length)} shown`);
    if (steps.dropped) parts.push(`${count(steps.dropped)} dropped for want of room`);
    if (steps.gone) parts.push(`the oldest ${count(steps.gone)} let go`);
    if (behind) parts.push(`paused, ${count(behind)} behind`);
    if (steps.list.length) words.textContent = `${parts.join(", ")}.`;
  }

  function row(number, index) {
    const step = steps.step(number);
    const style = `transform:translateY(${index * ROW}px);--depth:${Math.min(step.depth, DEEPEST)}`;
    if (step.kind === "gap") {
      const what = step.lost === null ? "The stream was interrupted: nobody knows what happened here." : `${count(step.lost)} steps are missing here: there was no room for them.`;
      return el("div", { class: "step gap-row", role: "treeitem", "aria-level": 1, id: `step-${number}`, style }, el("span", { class: "what" }, `⋯ ${what}`));
    }
    const folded = steps.folded.has(number);
    const can = folded || steps.foldable(number);
    const place = step.place ?? { function: "?", file: "?", line: step.line };
    const name = steps.tracks.get(step.track) ?? `greenlet ${step.track}`;
    const glyph = can ? (folded ? "▸" : "▾") : GLYPHS[step.kind] ?? "→";
    const classes = ["step", `kind-${step.kind}`, `of-${origin(place.file)}`, number === chosen ? "current" : "", matches(number) ? "match" : ""].join(" ");
    return el("div", {
      class: classes, id: `step-${number}`, role: "treeitem", "aria-level": step.depth + 1, "aria-expanded": can ? String(!folded) : null,
      "aria-selected": String(number === chosen), style, dataset: { number },
    },
    el("span", { class: "when" }, `${step.at.toFixed(4)}`),
    el("span", { class: `track t${colours.get(step.track) ?? 0}`, title: brief(name, 300) }, brief(name, 22)),
    el("span", { class: "what" }, el("span", { class: can ? "glyph can" : "glyph", "aria-hidden": "true" }, glyph), el("span", { class: "visually-hidden" }, `${SAID[step.kind] ?? step.kind} `), el("span", { class: "function", title: whole({ ...place, line: step.line }) }, brief(place.function, 70)), el("span", { class: "where" }, where({ ...place, line: step.line }))),
    el("span", { class: "took" }, step.took === null ? (step.kind.endsWith("call") ? "…" : "") : span(step.took)));
  }

  function choose(number, { reveal = true } = {}) {
    chosen = number;
    if (reveal) {
      setFollow(false);
      const index = steps.rows.indexOf(number);
      const top = index * ROW;
      if (index >= 0 && (top < scroller.scrollTop + ROW || top > scroller.scrollTop + scroller.clientHeight - 2 * ROW)) scroller.scrollTop = top - scroller.clientHeight / 2;
    }
    draw();
  }

  /** To the next or the one before that the search finds, among those shown. */
  function leap(way) {
    if (wanted === "") return search.focus();
    const { rows: all } = steps;
    let index = Math.max(-1, all.indexOf(chosen));
    if (index < 0 && way < 0) index = all.length;
    for (index += way; index >= 0 && index < all.length; index += way) {
      if (!matches(all[index])) continue;
      found.textContent = `row ${count(index + 1)}`;
      return choose(all[index]);
    }
    found.textContent = way > 0 ? "None after this one." : "None before this one.";
  }

  function show(number) {
    const step = steps.step(number);
    if (step?.place?.file) source({ ...step.place, line: step.line || step.place.line });
  }

  const numberOf = (event) => {
    const at = event.target.closest("[data-number]");
    return at ? Number(at.dataset.number) : null;
  };
  rows.addEventListener("click", (event) => {
    const number = numberOf(event);
    if (number === null) return;
    // counted here: rows are drawn anew between two clicks, and the browser may not know them for one and the same
    const twice = number === pressed[0] && performance.now() - pressed[1] < TWICE_MS;
    pressed = [number, performance.now()];
    if (event.target.classList.contains("can")) steps.fold(number);
    else if (twice) show(number);
    choose(number, { reveal: false });
  });
  scroller.addEventListener("scroll", draw);
  scroller.addEventListener("wheel", (event) => event.deltaY < 0 && follow && setFollow(false), { passive: true });
  scroller.addEventListener("pointerdown", () => follow && setFollow(false));
  scroller.addEventListener("keydown", (event) => {
    const { rows: all } = steps;
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1);
    const index = all.indexOf(chosen);
    const to = (next) => all.length && choose(all[Math.max(0, Math.min(all.length - 1, next))]);
    const ways = {
      ArrowDown: () => to(index + 1), ArrowUp: () => to(index < 0 ? all.length - 1 : index - 1), PageDown: () => to(index + page), PageUp: () => to(index - page),
      Home: () => to(0), End: () => to(all.length - 1),
      ArrowRight: () => chosen !== null && (steps.fold(chosen, false), draw()),
      ArrowLeft: () => chosen !== null && steps.foldable(chosen) && (steps.fold(chosen, true), draw()),
      Enter: () => chosen !== null && show(chosen),
    };
    if (!ways[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    ways[event.key]();
  });
  track.addEventListener("change", () => {
    steps.track = track.value === "" ? null : Number(track.value);
    steps.refold();
    draw();
  });
  search.addEventListener("input", () => {
    wanted = search.value.trim().toLowerCase();
    found.textContent = "";
    draw();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    leap(event.shiftKey ? -1 : 1);
  });

  return { node, update, ended: draw, close: draw.stop };
}
