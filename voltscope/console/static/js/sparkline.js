// The last hours of one figure, or what there is of them, as a small line, with its story in words for those who do
// not see it.

import { svg } from "/static/js/dom.js";
import { duration } from "/static/js/format.js";

const WIDTH = 96;
const HEIGHT = 24;
const STEP_S = 30;
const FEWEST = 20; // a site that just started shows its first minutes, not an hour with a dot at the end

/** `all`: a value each `step` seconds, oldest first, null for gaps. `top`: the least the scale reaches to. `say`: a value as text. */
export function sparkline(all, { name, top, say, step = STEP_S }) {
  const first = all.findIndex((value) => value !== null);
  const values = all.slice(Math.max(0, Math.min(first, all.length - FEWEST)));
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  const most = Math.max(...known);
  const scale = Math.max(top, most * 1.1);
  const x = (index) => ((index / Math.max(1, values.length - 1)) * (WIDTH - 2) + 1).toFixed(1);
  const y = (value) => (HEIGHT - 1 - (value / scale) * (HEIGHT - 3)).toFixed(1);
  const words = `${name} over the last ${duration((values.length - 1) * step)}: ${say(Math.min(...known))} to ${say(most)}, now ${say(known.at(-1))}`;
  const runs = [];
  values.forEach((value, index) => {
    if (value === null) return;
    if (index === 0 || values[index - 1] === null) runs.push([]);
    runs.at(-1).push([x(index), y(value)]);
  });
  const shapes = runs.flatMap((run) => {
    if (run.length === 1) return [svg("circle", { cx: run[0][0], cy: run[0][1], r: 1.4, class: "dot" })];
    const line = run.map(([a, b], index) => `${index ? "L" : "M"}${a} ${b}`).join("");
    const area = `${line}L${run.at(-1)[0]} ${HEIGHT - 1}L${run[0][0]} ${HEIGHT - 1}Z`;
    return [svg("path", { d: area, class: "area" }), svg("path", { d: line, class: "line" })];
  });
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": words },
    svg("title", {}, words),
    ...shapes,
  );
}
