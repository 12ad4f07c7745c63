// The system calls view: circles that grow while they are busy, and a table of the same to sort.

import { el, refill } from "/static/js/dom.js";
import { count, duration } from "/static/js/format.js";
import { brief, legend, paced, short, span } from "/static/js/live-places.js";
import { bubbles } from "/static/js/live-syscalls-bubbles.js";

const TABLE_MS = 1000;
const mean = (call) => (call.seconds === null || call.count === 0 ? null : call.seconds / call.count);
const failing = (call) => (call.errors === null ? null : call.errors / Math.max(1, call.count));
const COLUMNS = [
  ["name", "System call", (call) => call.name, (call) => brief(call.name)],
  ["recent", "A second", (call) => call.recent, (call) => short(call.recent)],
  ["count", "In all", (call) => call.count, (call) => count(call.count)],
  ["errors", "Errors", (call) => call.errors, (call) => (call.errors === null ? "–" : call.errors === 0 ? "0" : `${count(call.errors)} (${(failing(call) * 100).toFixed(failing(call) < 0.0995 ? 1 : 0)} %)`)],
  ["mean", "Time each", mean, (call) => span(mean(call))],
  ["slowest", "Slowest", (call) => call.slowest_s, (call) => span(call.slowest_s)],
  ["seconds", "Time in all", (call) => call.seconds, (call) => span(call.seconds)],
];

/** A view: `node`, `update(document)`, `close()`. */
export function syscalls() {
  const words = el("p", { class: "hint" }, "Waiting for the first counts…");
  const drawn = bubbles(choose);
  const body = el("tbody", {});
  const heads = COLUMNS.map(([key, name], index) => el("th", { scope: "col", class: index ? "num" : null },
    el("button", { type: "button", class: "sort", on: { click: () => order(key) } }, name)));
  const node = el("div", { class: "view syscalls-view" },
    el("section", { class: "panel", "aria-label": "System calls" }, el("div", { class: "picture-frame" }, drawn.node),
      legend(["slow", "the stronger the colour, the longer each takes"], ["failing", "the part of them that fails"]), words),
    el("section", { class: "panel functions" }, el("h2", { id: "syscalls-table" }, "System calls"),
      el("table", { "aria-labelledby": "syscalls-table" }, el("thead", {}, el("tr", {}, heads)), body)));
  let calls = null;
  let [key, down] = ["recent", true];
  let chosen = null;
  const table = paced(drawTable, TABLE_MS);

  function order(by) {
    [key, down] = by === key ? [key, !down] : [by, by !== "name"];
    table.stop();
    drawTable();
  }

  function choose(name) {
    chosen = chosen === name ? null : name;
    drawn.chosen(chosen);
    drawTable();
    body.querySelector("tr.current")?.scrollIntoView({ block: "nearest" });
  }

  function drawTable() {
    if (!calls) return;
    const value = COLUMNS.find(([name]) => name === key)[2];
    const sorted = [...calls].sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      const by = a === null || b === null ? (a === null) - (b === null) : (typeof a === "string" ? a.localeCompare(b) : a - b) * (down ? -1 : 1);
      return by || one.name.localeCompare(other.name);
    });
    COLUMNS.forEach(([name], index) => {
      if (name === key) heads[index].setAttribute("aria-sort", down ? "descending" : "ascending");
      else heads[index].removeAttribute("aria-sort");
    });
    refill(body, sorted.map((call) => el("tr", { class: call.name === chosen ? "current" : null }, COLUMNS.map(([name, label, , say], index) =>
      index === 0 ? el("th", { scope: "row" }, el("button", { type: "button", class: "frame-link", "aria-pressed": String(call.name === chosen), dataset: { key: `call-${brief(call.name)}` }, on: { click: () => choose(call.name) } }, el("span", { class: "function" }, say(call))))
        : el("td", { class: `num${name === "errors" && call.errors ? " warned" : ""}`, dataset: { label } }, say(call))))));
  }

  return {
    node,
    update(document) {
      ({ calls } = document);
      const all = calls.reduce((sum, call) => sum + call.count, 0);
      const recent = calls.reduce((sum, call) => sum + call.recent, 0);
      words.textContent = `${count(all)} calls of ${calls.length} kinds in ${duration(document.seconds)}; ${short(recent)} a second now.${calls.some((call) => call.seconds === null) ? " Not timed: “Time of each call” is under “Source and more”, where the source can." : ""}`;
      drawn.update(calls);
      table();
    },
    close() {
      table.stop();
      drawn.close();
    },
  };
}
