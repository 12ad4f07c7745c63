// How many records over time, stacked by level: a picture to point, drag or walk with the arrow keys in.

import { get, query } from "/static/js/api.js";
import { el, refill, svg } from "/static/js/dom.js";
import { count, moment } from "/static/js/format.js";

// What is worst stands on the ground line, where heights compare best.
const STACK = ["critical", "error", "warning", "info", "debug"];
const HEIGHT = 84;
const AXIS = 18;
const LEAST = { critical: 3, error: 3, warning: 2, info: 1, debug: 1 }; // pixels: one error among thousands shows
const WIDEST_BAR = 7; // pixels to a span, about
const TICK = 110; // pixels from one time to the next
const ROUND = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000];
const HOW = "Drag over bars, or take arrow keys and Enter, to look closer.";

/** `zoom(since, until)`: somebody chose a span, in seconds since the epoch. */
export function histogram({ zoom }) {
  const picture = el("div", { class: "picture" });
  const words = el("p", { class: "hint readout" }, HOW);
  const legend = el("ul", { class: "legend", "aria-label": "Records by level" });
  const rows = el("tbody", {});
  const table = el(
    "details", { class: "as-table" }, el("summary", {}, "As a table"),
    el("table", {}, el("caption", { class: "visually-hidden" }, "Records over time"), el("thead", {}, el("tr", {}, ["From", "All", ...STACK].map((name) => el("th", { scope: "col", class: name === "From" ? "" : "num" }, name)))), rows),
  );
  const node = el("section", { class: "panel timeline", "aria-label": "Records over time" }, el("div", { class: "over" }, legend, words), picture, table);
  let made = null;
  let chosen = null; // [first, last]
  let at = 0;
  let bars = [];
  let drag = null;

  const total = (index) => STACK.reduce((sum, level) => sum + (made.counts[level]?.[index] ?? 0), 0);
  const from = (index) => made.start + index * made.step;

  function say(index, end = index) {
    const range = `${clock(from(index))} – ${clock(from(end + 1))}`;
    let all = 0;
    const levels = STACK.map((level) => {
      let sum = 0;
      for (let i = index; i <= end; i += 1) sum += made.counts[level]?.[i] ?? 0;
      all += sum;
      return sum ? `${count(sum)} ${level}` : null;
    }).filter(Boolean);
    return `${range}: ${count(all)} ${all === 1 ? "record" : "records"}${levels.length ? ` (${levels.join(", ")})` : ""}`;
  }

  const clock = (epoch) => {
    const { day, time } = moment(epoch);
    const short = made.step >= 60 ? time.slice(0, 5) : time;
    const span = made.step * bars.length;
    return made.step >= 86400 ? day : span > 86400 ? `${day.slice(5)} ${short}` : short;
  };

  function choose(first, last) {
    chosen = first === null ? null : [Math.min(first, last), Math.max(first, last)];
    bars.forEach((bar, index) => {
      const on = chosen !== null && index >= chosen[0] && index <= chosen[1];
      bar.setAttribute("aria-selected", String(on));
    });
    words.textContent = chosen ? say(...chosen) : HOW;
  }

  function look(index, { extend = false } = {}) {
    const anchor = extend ? (chosen && at === chosen[0] ? chosen[1] : chosen?.[0]) ?? at : index;
    bars[at].setAttribute("tabindex", "-1");
    at = Math.max(0, Math.min(bars.length - 1, index));
    bars[at].setAttribute("tabindex", "0");
    bars[at].focus({ preventScroll: true });
    choose(extend ? anchor : at, at);
  }

  function closer() {
    if (chosen) zoom(from(chosen[0]), from(chosen[1] + 1) - 0.001);
  }

  const KEYS = {
    ArrowLeft: (event) => look(at - 1, { extend: event.shiftKey }),
    ArrowRight: (event) => look(at + 1, { extend: event.shiftKey }),
    Home: (event) => look(0, { extend: event.shiftKey }),
    End: (event) => look(bars.length - 1, { extend: event.shiftKey }),
    Enter: closer,
    " ": closer,
    Escape: () => choose(null),
  };

  function draw() {
    const width = Math.round(picture.clientWidth);
    if (!made || width < 50 || drag !== null) return;
    const spans = Math.max(0, ...Object.values(made.counts).map((counts) => counts.length));
    if (spans === 0) return;
    const focused = picture.contains(document.activeElement);
    const step = width / spans;
    const most = Math.max(1, ...Array.from({ length: spans }, (_, index) => total(index)));
    bars = Array.from({ length: spans }, (_, index) => {
      let ground = HEIGHT;
      const parts = STACK.map((level) => {
        const number = made.counts[level]?.[index] ?? 0;
        if (!number) return null;
        const height = Math.max(LEAST[level], (number / most) * (HEIGHT - 14));
        ground -= height;
        return svg("rect", { class: `of-${level}`, x: (index * step + Math.min(1, step / 6)).toFixed(2), y: ground.toFixed(2), width: Math.max(1, step - Math.min(2, step / 3)).toFixed(2), height: height.toFixed(2) });
      });
      const area = svg("rect", { class: "area", x: (index * step).toFixed(2), y: 0, width: step.toFixed(2), height: HEIGHT });
      return svg("g", { class: "column", role: "option", tabindex: index === at ? 0 : -1, "aria-selected": "false" }, area, parts);
    });
    at = Math.min(at, spans - 1);
    bars.forEach((bar, index) => {
      bar.setAttribute("aria-label", say(index));
      bar.setAttribute("tabindex", index === at ? "0" : "-1");
    });
    const ticks = [];
    const every = ROUND.find((seconds) => (seconds / made.step) * step >= TICK) ?? ROUND.at(-1);
    for (let index = 0; index < spans; index += 1) {
      const x = index * step;
      if (x > width - 60 || Math.round((from(index) - offset(from(index))) * 1000) % (every * 1000)) continue;
      ticks.push(
        svg("line", { class: "tick", x1: x.toFixed(1), x2: x.toFixed(1), y1: HEIGHT, y2: HEIGHT + 4 }),
        svg("text", { class: "time", x: (x + 3).toFixed(1), y: HEIGHT + 14, "aria-hidden": "true" }, clock(from(index))),
      );
    }
    const unknown = made.counted_from === null ? 0 : Math.max(0, Math.min(width, ((made.counted_from - made.start) / made.step) * step));
    const chart = svg(
      "svg",
      { width, height: HEIGHT + AXIS, role: "listbox", "aria-multiselectable": "true", "aria-orientation": "horizontal", "aria-label": `Records over time. ${HOW}` },
      unknown ? svg("rect", { class: "uncounted", x: 0, y: 0, width: unknown.toFixed(1), height: HEIGHT }) : null,
      svg("line", { class: "ground", x1: 0, x2: width, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }),
      svg("text", { class: "most", x: 2, y: 9, "aria-hidden": "true" }, `${count(most)} in ${length(made.step)}`),
      ticks, bars,
    );
    chart.addEventListener("keydown", (event) => {
      const act = KEYS[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act(event);
    });
    const under = (event) => Math.max(0, Math.min(spans - 1, Math.floor((event.clientX - chart.getBoundingClientRect().left) / step)));
    chart.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      drag = under(event);
      chart.setPointerCapture(event.pointerId);
      choose(drag, drag);
    });
    chart.addEventListener("pointermove", (event) => {
      if (drag !== null) choose(drag, under(event));
      else if (!chosen) words.textContent = say(under(event));
    });
    chart.addEventListener("pointerup", () => {
      if (drag === null) return;
      drag = null;
      closer();
    });
    chart.addEventListener("pointercancel", () => {
      drag = null;
      choose(null);
    });
    chart.addEventListener("pointerleave", () => drag === null && !chosen && (words.textContent = HOW));
    picture.replaceChildren(chart);
    if (focused) bars[at].focus({ preventScroll: true });
  }

  function tell() {
    refill(legend, STACK.map((level) => {
      const sum = (made.counts[level] ?? []).reduce((a, b) => a + b, 0);
      return sum ? el("li", {}, el("span", { class: `swatch of-${level}`, "aria-hidden": "true" }), `${level} ${count(sum)}`) : null;
    }));
    words.textContent = made.complete ? HOW : `Counted from ${moment(made.counted_from ?? made.start).short} on: the rest would take longer. ${HOW}`;
    table.open = false;
    rows.replaceChildren();
  }

  table.addEventListener("toggle", () => {
    if (!table.open || !made || rows.childElementCount) return;
    rows.replaceChildren(...bars.map((_, index) => index).filter((index) => total(index)).map((index) => el(
      "tr", {}, el("th", { scope: "row" }, clock(from(index))), [total(index), ...STACK.map((level) => made.counts[level]?.[index] ?? 0)].map((number) => el("td", { class: "num" }, count(number))),
    )));
  });

  const watcher = new ResizeObserver(draw);
  watcher.observe(picture);
  return {
    node,
    stop: () => watcher.disconnect(),
    async load(wanted, signal) {
      const spans = Math.max(20, Math.min(180, Math.floor((picture.clientWidth || node.parentElement.clientWidth) / WIDEST_BAR)));
      const counted = await get(`/api/logs/histogram${query({ ...wanted, spans })}`, signal);
      if (drag !== null) return; // nothing moves away under a pointer
      made = counted;
      node.hidden = STACK.every((level) => !(made.counts[level] ?? []).some(Boolean));
      chosen = null;
      tell();
      draw();
    },
  };
}

/** Seconds that local time is behind UTC: round times are those of people's clocks. */
const offset = (epoch) => new Date(epoch * 1000).getTimezoneOffset() * 60;

function length(seconds) {
  for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (seconds >= size) return `${+(seconds / size).toFixed(1)} ${name}`;
  return `${seconds} s`;
}
