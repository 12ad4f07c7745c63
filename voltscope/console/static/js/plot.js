// One plot over time, drawn by uPlot: gaps as gaps, moments as vertical lines, a cursor that all plots share, and
// the keys to walk, choose and look closer. What it shows stands in its legend and in words as well.

import { el } from "/static/js/dom.js";
import { moment } from "/static/js/format.js";
import { colour, seen } from "/static/js/plot-colours.js";

const HEIGHT = 150;
const LEFT = 62; // pixels: all plots begin at the same place, or the cursor would not be at the same time
const FONT = '11px system-ui, "DejaVu Sans", sans-serif';
const STEP_KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };
const DAY_S = 86400;
const TOGETHER = "agent"; // plots whose cursor is one
const PRESSED = ["mousedown", "mouseup", "dblclick"]; // what is meant for the plot under the pointer alone

/** The library, once; null when it cannot be had. */
export async function library() {
  document.head.querySelector("#uplot") ?? document.head.append(el("link", { id: "uplot", rel: "stylesheet", href: "/static/vendor/uplot/uPlot.min.css" }));
  return (await import("/static/vendor/uplot/uPlot.esm.js")).default;
}

function clock(span) {
  return (_, splits, __, ___, every) => splits.map((at, index) => {
    const { day, time } = moment(at);
    if (every >= DAY_S) return day.slice(5);
    const short = every < 60 ? time : time.slice(0, 5);
    const before = index > 0 && moment(splits[index - 1]).day === day;
    return span > DAY_S && !before ? `${day.slice(5)}\n${short}` : short;
  });
}

/**
 * `Plot`: the library. `title`; `lines`: [{name, colour, dash}], or [{unseen}] where `drawn` draws; `say(value)`; `least`: what the scale reaches to at least;
 * `marks()`: [{at, colour}]; `words(index)`: everything at that point, for the ear; `look(index or null)`: where the
 * cursor is; `zoom(since, until)`, `wider()`. `drawn(plot)`, `axis()`, `height`: of a plot that draws something else.
 */
export function plot(Plot, { title, lines, say, least, marks, words, look, zoom, wider, drawn, axis, height = HEIGHT }) {
  const host = el("div", { class: "plot", role: "slider", tabindex: 0, "aria-label": `${title} over time`, "aria-orientation": "horizontal", "aria-valuemin": 0 });
  let made = null;
  let grid = null;
  let at = null;
  let anchor = null;

  function options() {
    const text = colour("--soft");
    const rule = { stroke: colour("--line"), width: 1 };
    const shared = { stroke: text, font: FONT, ticks: { ...rule, size: 4 } };
    return {
      width: Math.max(200, host.clientWidth), height,
      legend: { show: false },
      padding: [10, 12, 0, 0],
      scales: {
        x: { time: true, range: () => [grid.since, grid.until] },
        y: { range: (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.08)] },
      },
      axes: [
        { ...shared, grid: rule, size: grid.until - grid.since > DAY_S ? 38 : 26, space: 70, values: clock(grid.until - grid.since) },
        { ...shared, grid: rule, size: LEFT, space: 30, values: (_, splits) => splits.map(say), ...axis?.() },
      ],
      series: [{}, ...lines.map((line) => line.unseen ? { stroke: "transparent", width: 0, points: { show: false } } : ({ label: line.name, stroke: colour(line.colour), width: 1.6, dash: line.dash, points: { size: 4 }, spanGaps: false }))],
      cursor: { sync: { key: TOGETHER, scales: ["x", null], filters: { sub: (type) => !PRESSED.includes(type) } }, drag: { x: true, y: false, setScale: false }, points: { size: 7 }, bind: { dblclick: () => () => wider() } },
      hooks: {
        setCursor: [(self) => follow(self.cursor.idx ?? null)],
        setSelect: [(self) => self.select.width > 3 && !keyed && chosen(self)],
        drawAxes: drawn ? [drawn] : [],
        draw: [drawMarks],
      },
    };
  }

  let keyed = false; // a selection that the keyboard made is not one to zoom to yet

  function chosen(self) {
    const [left, right] = [self.select.left, self.select.left + self.select.width].map((x) => self.posToVal(x, "x"));
    clear();
    zoom(left, right);
  }

  function clear() {
    anchor = null;
    made?.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  function drawMarks({ ctx, bbox, valToPos }) {
    ctx.save();
    ctx.setLineDash([4, 3]);
    ctx.lineWidth = devicePixelRatio;
    for (const mark of marks()) {
      if (mark.at < grid.since || mark.at > grid.until) continue;
      const x = Math.round(valToPos(mark.at, "x", true)) + 0.5;
      ctx.strokeStyle = colour(mark.colour);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  function follow(index) {
    at = index;
    if (index !== null) {
      host.setAttribute("aria-valuenow", String(index));
      host.setAttribute("aria-valuetext", words(index));
    }
    look(index);
  }

  /** The cursor to a point: the other plots follow as they follow a pointer. */
  function stand(index, extend) {
    const to = Math.max(0, Math.min(grid.points - 1, index));
    const x = (point) => made.valToPos(grid.since + point * grid.step, "x");
    made.setCursor({ left: x(to), top: height / 4 });
    anchor = extend ? anchor ?? at ?? to : null;
    follow(to);
    keyed = true;
    const [left, right] = [Math.min(x(to), x(anchor ?? to)), Math.max(x(to), x(anchor ?? to))];
    made.setSelect({ left, width: extend ? right - left : 0, top: 0, height: made.over.clientHeight }, false);
    keyed = false;
  }

  host.addEventListener("keydown", (event) => {
    if (!made || event.ctrlKey || event.metaKey || event.altKey) return;
    const here = at ?? grid.points - 1;
    if (event.key in STEP_KEYS) stand(here + STEP_KEYS[event.key], event.shiftKey);
    else if (event.key === "Home") stand(0, event.shiftKey);
    else if (event.key === "End") stand(grid.points - 1, event.shiftKey);
    else if (event.key === "Enter" && anchor !== null && anchor !== at) zoom(...[anchor, at].sort((a, b) => a - b).map((point) => grid.since + point * grid.step));
    else if (event.key === "Escape" && anchor !== null) clear();
    else if (event.key === "-") wider();
    else return;
    event.preventDefault();
  });

  function draw() {
    made?.destroy();
    made = new Plot(options(), data, host);
    made.root.setAttribute("aria-hidden", "true"); // the slider around it says it in words
  }

  let data = null;
  const size = new ResizeObserver(() => made && made.width !== host.clientWidth && host.clientWidth > 50 && made.setSize({ width: host.clientWidth, height }));
  size.observe(host);
  const unseen = seen(() => data && draw());

  return {
    node: host,
    /** `grid_`: since, until, step, points; `columns`: times and a column a line. */
    update(grid_, columns) {
      const span = grid && grid.until - grid.since;
      [grid, data, anchor] = [grid_, columns, null];
      host.setAttribute("aria-valuemax", String(grid.points - 1));
      host.setAttribute("aria-valuenow", String(at ?? grid.points - 1));
      host.setAttribute("aria-valuetext", words(Math.min(at ?? grid.points - 1, grid.points - 1)));
      if (made && span === grid.until - grid.since) made.setData(data);
      else draw();
    },
    close() {
      size.disconnect();
      unseen();
      made?.destroy();
    },
  };
}
