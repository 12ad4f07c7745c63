// Two captures, or two spans of time, compared: drawn both ways, and the changes in numbers.

import { get, query } from "/static/js/api.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { count, visible } from "/static/js/format.js";
import { page, percent, picture, to } from "/static/js/flamegraphs-pictures.js";

const SHOWN = 40;
const DAY_S = 86400;
const BACK_S = { "1h": 3600, "1d": DAY_S, "7d": 7 * DAY_S };
const AROUND_S = 1800; // what is compared of continuous profiles: half an hour before and after
const FAR_S = 12 * 3600; // how far from a day older a capture may be to stand for yesterday's

/** The address of a comparison with both spans in it, where it names one and how much earlier the other is, as Grafana does. */
export function compared(parameters) {
  const back = BACK_S[parameters.get("back")];
  const [since, until] = ["since", "until"].map((name) => Number(parameters.get(name)));
  if (!back || !(until > since)) return parameters;
  const both = { kind: "cpu", ...Object.fromEntries(parameters), before: `${since - back},${until - back}`, after: `${since},${until}` };
  for (const name of ["since", "until", "back"]) delete both[name];
  return new URLSearchParams(both);
}

/** Draws the comparison that the address names. */
export async function showComparison(viewer, below, parameters, signal) {
  const asked = Object.fromEntries(["agent", "kind", "reason", "before", "after"].map((name) => [name, parameters.get(name)]));
  const by = parameters.get("by") === "before" ? "before" : "after";
  refill(viewer, el("p", { class: "hint" }, "Comparing…"));
  try {
    const found = await get(`/difference.json${query(asked)}`, signal);
    const drawn = `/difference.svg${query({ ...asked, by })}`;
    const way = (name, words) => to(page({ view: "compare", ...asked, by: name }), words, { "aria-current": by === name ? "true" : null });
    refill(viewer,
      el("div", { class: "viewer-head" }, el("h2", {}, "Difference"),
        el("span", { class: "ways", role: "group", "aria-label": "Widths" }, "Widths as they are ", way("after", "after"), way("before", "before"))),
      el("span", { class: "links" }, [["svg", "SVG"], ["folded", "Folded stacks"], ["json", "JSON"]].map(([form, words]) =>
        el("a", { href: `/difference.${form}${query({ ...asked, by })}`, download: `voltscope-difference.${form}` }, words)),
        to(page({ view: "compare", ...asked, before: asked.after, after: asked.before }), "Swap before and after"),
        operand("before", asked), operand("after", asked)),
      picture(drawn, `Difference drawn with widths as they are ${by}`));
    refill(below, changesPanel(found));
  } catch (error) {
    if (error.name !== "AbortError") refill(viewer, el("h2", {}, "Difference"), notice(error));
  }
}

/** A link to one of the two: a capture, or a span of time. */
function operand(name, { agent, kind, reason, ...asked }) {
  const [since, until] = asked[name].split(",");
  return to(page(until ? { view: "range", agent, kind, reason, since, until } : { id: asked[name] }), `View ${name}`);
}

function changesPanel(found) {
  const own = el("input", { type: "checkbox", id: "own-changes" });
  own.checked = true;
  const unsure = el("input", { type: "checkbox", id: "unsure-changes" });
  const body = el("tbody", {});
  const note = el("p", { class: "hint", role: "status" });
  function draw() {
    const all = own.checked ? found.own_changes : found.changes;
    const sure = all.filter((one) => one.sure);
    const shown = (unsure.checked ? all : sure).slice(0, SHOWN);
    body.replaceChildren(...shown.map(row));
    note.textContent = sure.length === 0
      ? "No function changed more than chance alone may do."
      : `${count(sure.length)} of ${count(all.length)} changed for sure: the 95 % interval leaves out zero.`;
  }
  own.addEventListener("change", draw);
  unsure.addEventListener("change", draw);
  draw();
  const columns = [["Function"], ["Before", "num"], ["After", "num"], ["Points", "num"], ["95 % interval", "num"], ["Sure"]];
  return el("section", { class: "panel functions" }, el("h2", { id: "changes-title" }, "Changes"),
    el("div", { class: "table-tools" },
      el("label", { class: "tick" }, own, el("span", {}, "On top of the stack only")),
      el("label", { class: "tick" }, unsure, el("span", {}, "Also what chance may have done"))),
    el("table", { "aria-labelledby": "changes-title" },
      el("thead", {}, el("tr", {}, columns.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))), body),
    note);
}

const points = (value) => `${value > 0 ? "+" : value < 0 ? "\u2212" : ""}${Math.abs(value * 100).toFixed(1)}`;

function row(one) {
  return el("tr", {},
    el("th", { scope: "row" }, el("span", { class: "function" }, visible(one.function))),
    el("td", { class: "num", dataset: { label: "Before" } }, percent(one.before)),
    el("td", { class: "num", dataset: { label: "After" } }, percent(one.after)),
    el("td", { class: `num points ${one.sure ? (one.points > 0 ? "grew" : "shrank") : ""}`, dataset: { label: "Points" } }, points(one.points)),
    el("td", { class: "num", dataset: { label: "95 % interval" } }, `${points(one.low)} to ${points(one.high)}`),
    el("td", { dataset: { label: "Sure" } }, one.sure ? mark("good", "sure") : mark("unknown", "chance")));
}

/** The capture before `capture`, of the same agent and kind; undefined when there is none. */
export const theOneBefore = (capture, captures) =>
  captures.find((one) => alike(one, capture) && one.id < capture.id);

const alike = (one, other) => one.state === "done" && one.agent === other.agent && one.kind === other.kind;

/** Where yesterday is compared with `capture`'s time: continuous windows of both days, else a capture about a day older. */
export async function sinceYesterday(capture, captures, signal) {
  const at = Math.round(Date.parse(capture.started) / 1000);
  const until = Math.min(at + AROUND_S, Math.ceil(Date.now() / 1000));
  const of = { agent: capture.agent, kind: capture.kind, reason: "continuous" };
  const span = (back) => ({ since: at - AROUND_S - back, until: until - back });
  const [before, after] = [span(DAY_S), span(0)];
  const both = await Promise.all([before, after].map((one) => get(`/api/coverage${query({ ...of, ...one })}`, signal)));
  if (both.every(({ samples }) => samples > 0)) {
    return page({ view: "compare", ...of, before: `${before.since},${before.until}`, after: `${after.since},${after.until}` });
  }
  const away = (one) => Math.abs(Date.parse(one.started) / 1000 - (at - DAY_S));
  const nearest = captures.filter((one) => alike(one, capture) && away(one) <= FAR_S).sort((one, other) => away(one) - away(other))[0];
  return nearest ? page({ view: "compare", before: nearest.id, after: capture.id }) : null;
}
