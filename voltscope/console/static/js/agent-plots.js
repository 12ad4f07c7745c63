// The plots of an agent: what each shows, in which unit, and its legend with the last, mean and largest value.

import { el, refill } from "/static/js/dom.js";
import { bytes, count, moment, percent } from "/static/js/format.js";
import { bands } from "/static/js/agent-bands.js";
import { plot } from "/static/js/plot.js";

const milliseconds = (seconds) => (seconds === null || seconds === undefined ? "–"
  : seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`);
const aMinute = (value) => (value === null || value === undefined ? "–" : value === 0 || value >= 100 ? count(value) : String(Number(value.toPrecision(2))));

const PLOTS = [
  { id: "cpu", title: "CPU", unit: "of one core", say: percent, least: 1, lines: [["user", "user", "--line-a"], ["system", "system", "--line-b", [6, 3]]] },
  { id: "memory", title: "Memory", unit: "", say: bytes, least: 1 << 20, incrs: Array.from({ length: 45 }, (_, power) => 2 ** power), lines: [["pss", "its own share (PSS)", "--line-a"], ["rss", "resident (RSS)", "--line-b", [6, 3]]] },
  { id: "rpc", title: "RPC latency", unit: "", say: milliseconds, least: 0.001, lines: [["p50", "median", "--line-a"], ["p95", "95 %", "--line-b", [6, 3]]] },
  { id: "logs", title: "Log records", unit: "a minute", say: aMinute, least: 1, lines: ["debug", "info", "warning", "error", "critical"].map((level, index) => [level, level, `--of-${level}`, [[2, 2], null, [8, 3], null, [3, 2]][index]]) },
];

const known = (line) => line.filter((value) => value !== null);
const mean = (line) => known(line).reduce((sum, value) => sum + value, 0) / known(line).length;

/** `tools`: zoom(since, until), wider(), marks(). Without the library the legends stand alone. */
export function agentPlots(Plot, tools) {
  const band = bands(Plot, { ...tools, look });
  const panels = PLOTS.map((one) => panel(Plot, one, { ...tools, look }));
  const node = el("div", { class: "plots" }, band.node, panels.map((one) => one.node));
  let last = null;

  /** Where the cursor is, in every legend. */
  function look(index) {
    if (index === last) return;
    last = index;
    for (const one of [band, ...panels]) one.at(index);
  }

  return {
    node,
    update(found) {
      const grid = { since: found.since, until: found.until, step: found.step, points: found.points };
      const times = Array.from({ length: grid.points }, (_, index) => grid.since + index * grid.step);
      last = null;
      band.update(grid, times, found.bands);
      for (const one of panels) one.update(grid, times, found.plots[one.id]);
    },
    close() {
      for (const one of [band, ...panels]) one.close();
    },
  };
}

function panel(Plot, { id, title, unit, say, least, lines, incrs }, tools) {
  const body = el("tbody", {});
  const place = el("div", { class: "plot-place" });
  const nothing = el("p", { class: "hint" }, "Nothing is known of it in this time.");
  const head = el("div", { class: "plot-head" }, el("h2", { id: `plot-${id}` }, title, unit ? el("span", { class: "unit" }, ` ${unit}`) : null));
  const legend = el("table", { class: "plain legend-table", "aria-labelledby": `plot-${id}` },
    el("thead", {}, el("tr", {}, ["Line", "Last", "Mean", "Largest", "Cursor"].map((name, index) => el("th", { scope: "col", class: index ? "num" : null }, name)))), body);
  const node = el("section", { class: "panel plot-panel", "aria-labelledby": `plot-${id}`, dataset: { plot: id } }, head, place, nothing, legend);
  let data = {};
  let shown = []; // the lines there are
  let drawn = null;
  let cells = [];

  const words = (index) => {
    const { day, time } = moment(grid.since + index * grid.step);
    return `${day} ${time}: ${shown.map(([key, name]) => `${name} ${data[key][index] === null ? "unknown" : say(data[key][index])}`).join(", ")}`;
  };
  let grid = null;

  return {
    id, node,
    update(grid_, times, found) {
      [grid, data] = [grid_, found];
      const now = lines.filter(([key]) => key in data);
      nothing.hidden = now.length > 0;
      legend.hidden = place.hidden = now.length === 0;
      if (now.length === 0) return;
      if (Plot && (!drawn || now.length !== shown.length)) {
        drawn?.close();
        drawn = plot(Plot, { title, lines: now.map(([, name, colour, dash]) => ({ name, colour, dash: dash ?? undefined })), say, least, words, axis: () => (incrs ? { incrs } : {}), ...tools });
        refill(place, drawn.node);
      }
      shown = now;
      cells = shown.map(() => el("td", { class: "num" }, "–"));
      refill(body, shown.map(([key, name, colour, dash], index) => {
        const line = data[key];
        const swatch = el("span", { class: `swatch-line${dash ? " dashed" : ""}`, "aria-hidden": "true" });
        swatch.style.borderTopColor = `var(${colour})`;
        return el("tr", {}, el("th", { scope: "row" }, swatch, name), [line.at(-1), mean(line), Math.max(...known(line))].map((value) => el("td", { class: "num" }, say(value))), cells[index]);
      }));
      drawn?.update(grid, [times, ...shown.map(([key]) => data[key])]);
    },
    at(index) {
      shown.forEach(([key], position) => (cells[position].textContent = index === null ? "–" : say(data[key][index])));
    },
    close() {
      drawn?.close();
    },
  };
}
