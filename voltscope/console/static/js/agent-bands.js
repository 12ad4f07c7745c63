// State and health as two bands over time, and in words how much of the time each was; aligned with the plots below.

import { el, mark, refill } from "/static/js/dom.js";
import { duration, moment, percent } from "/static/js/format.js";
import { colour } from "/static/js/plot-colours.js";
import { plot } from "/static/js/plot.js";
import { HEALTH, STATES } from "/static/js/states.js";

const ROW = 30;
const ROWS = [["state", "State", STATES], ["health", "Health", HEALTH]];
const COLOURS = { good: "--good", warning: "--warning", bad: "--bad", odd: "--odd", stopped: "--soft", unknown: "--soft", info: "--soft" };
const ALL = 0.99; // of the time shown: less was not all of it
const HATCHED = ["bad", "warning", "odd"]; // what must be seen without its colour, too

const meaning = (names, value) => names[value] ?? ["unknown", value];

/** A panel; `look(index)`, `zoom`, `wider` and `marks` as plots have them. */
export function bands(Plot, tools) {
  const place = el("div", { class: "plot-place" });
  const shares = el("ul", { class: "shares" });
  const nothing = el("p", { class: "hint" }, "Nothing is known of its state in this time.");
  const now = el("p", { class: "hint at-cursor" });
  const node = el("section", { class: "panel plot-panel wide", "aria-labelledby": "plot-bands", dataset: { plot: "bands" } },
    el("div", { class: "plot-head" }, el("h2", { id: "plot-bands" }, "State and health"), now), place, nothing, shares);
  let grid = null;
  let spans = { state: [], health: [] };
  let drawn = null;

  const inAt = (row, at) => spans[row].find(({ since, until }) => since <= at && at < until) ?? spans[row].find(({ until }) => until === at);
  const words = (index) => {
    const at = grid.since + index * grid.step;
    const { day, time } = moment(at);
    return `${day} ${time}: ${ROWS.map(([row, name, names]) => `${name} ${inAt(row, at) ? meaning(names, inAt(row, at).is)[1] : "unknown"}`).join(", ")}`;
  };

  function drawBands({ ctx, bbox, valToPos }) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${11 * devicePixelRatio}px system-ui, "DejaVu Sans", sans-serif`;
    [ctx.textAlign, ctx.textBaseline] = ["left", "middle"];
    const high = bbox.height / ROWS.length;
    ROWS.forEach(([row, , names], index) => {
      for (const { is, since, until } of spans[row]) {
        const [kind, word] = meaning(names, is);
        const [left, right] = [valToPos(since, "x", true), valToPos(until, "x", true)];
        const box = [left, bbox.top + index * high + 2, Math.max(devicePixelRatio * 2, right - left), high - 4];
        const paint = colour(COLOURS[kind]);
        ctx.fillStyle = paint;
        ctx.globalAlpha = HATCHED.includes(kind) ? 0.32 : 0.2;
        ctx.fillRect(...box);
        if (HATCHED.includes(kind)) hatch(ctx, paint, box);
        ctx.globalAlpha = 1;
        ctx.fillRect(box[0], box[1] + box[3] - 3 * devicePixelRatio, box[2], 3 * devicePixelRatio);
        if (ctx.measureText(word).width + 12 * devicePixelRatio < box[2]) {
          ctx.fillStyle = colour("--text");
          ctx.fillText(word, Math.max(left, bbox.left) + 6 * devicePixelRatio, box[1] + box[3] / 2 - devicePixelRatio);
        }
      }
    });
    ctx.restore();
  }

  if (Plot) {
    drawn = plot(Plot, {
      title: "State and health", lines: [{ unseen: true }], say: String, least: ROWS.length, words, ...tools, drawn: drawBands, height: ROW * ROWS.length + 38,
      axis: () => ({ grid: { show: false }, ticks: { show: false }, splits: () => [0.5, 1.5], values: () => ["Health", "State"] }),
    });
    place.append(drawn.node);
  }

  return {
    node,
    update(grid_, times, found) {
      [grid, spans] = [grid_, found];
      const any = ROWS.some(([row]) => spans[row].length > 0);
      nothing.hidden = any;
      place.hidden = shares.hidden = !any;
      refill(shares, ROWS.flatMap(([row, name, names]) => (spans[row].length ? [el("li", {}, el("span", { class: "label" }, name), said(spans[row], names, grid))] : [])));
      drawn?.update(grid, [times, times.map(() => 0)]);
    },
    at(index) {
      now.textContent = index === null ? "" : words(index);
    },
    close() {
      drawn?.close();
    },
  };
}

function hatch(ctx, paint, [x, y, width, height]) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  ctx.globalAlpha = 0.55;
  ctx.strokeStyle = paint;
  ctx.lineWidth = devicePixelRatio;
  for (let at = x - height; at < x + width; at += 7 * devicePixelRatio) {
    ctx.beginPath();
    ctx.moveTo(at, y + height);
    ctx.lineTo(at + height, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** Each value with its share of the time that something is known of, and how long that is when it is not all of it. */
function said(spans, names, grid) {
  const times = new Map();
  for (const { is, since, until } of spans) times.set(is, (times.get(is) ?? 0) + until - since);
  const all = [...times.values()].reduce((sum, seconds) => sum + seconds, 0);
  const marks = [...times].sort(([, a], [, b]) => b - a).map(([is, seconds]) => {
    const [kind, word] = meaning(names, is);
    return mark(kind, times.size === 1 ? `${word} all the time` : `${word} ${percent((100 * seconds) / (all || 1))} (${duration(seconds)})`);
  });
  return all < ALL * (grid.until - grid.since) ? [...marks, el("span", { class: "hint" }, `of ${duration(all)} that are known`)] : marks;
}
