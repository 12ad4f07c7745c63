// Alerts over time: a row for each alert, a bar from where it began to where it ended.

import { get, query } from "/static/js/api.js";
import { el, refill, svg } from "/static/js/dom.js";
import { duration, moment, visible } from "/static/js/format.js";
import { about, badness, beginning, spans, when } from "/static/js/alerts-parts.js";

const WIDTH = 1000;
const HEIGHT = 18;
const MOST_ROWS = 60;
const MOST = 500; // occurrences that one answer holds
const TICKS = 6;

export function timelineView({ parameters, signal, go }) {
  const span = parameters.get("since") ?? "24h";
  const place = el("div", { class: "timeline" });
  const words = el("p", { class: "hint", role: "status" });
  const node = el("div", { class: "alerts-view" }, el("section", { class: "panel", "aria-labelledby": "timeline-title" },
    el("div", { class: "panel-head" }, el("h2", { id: "timeline-title" }, "When what fired"), spans(span, (key) => go(`/alerts${query({ view: "timeline", since: key })}`))),
    el("p", { class: "hint legend" }, ["critical", "warning", "info"].map((severity) => el("span", {}, svg("svg", { viewBox: "0 0 26 12", width: 26, height: 12, "aria-hidden": "true" }, bar(0, 26, 12, severity)), severity))),
    place, words));

  async function read() {
    const since = beginning(span);
    const { occurrences, next } = await get(`/api/alerts/history${query({ since, limit: MOST })}`, signal);
    draw(occurrences, since, Date.now() / 1000);
    const rows = rowsOf(occurrences);
    words.textContent = [occurrences.length === 0 ? "No alert in this time." : "", rows.length > MOST_ROWS ? `The first ${MOST_ROWS} of ${rows.length} alerts are drawn.` : "", next ? `Only the newest ${MOST} occurrences are drawn: choose a shorter time.` : ""].filter(Boolean).join(" ");
  }

  function draw(occurrences, since, until) {
    const x = (at) => (Math.min(Math.max(at, since), until) - since) / (until - since) * WIDTH;
    const lines = rowsOf(occurrences).slice(0, MOST_ROWS).map(([name, those]) => el("li", {},
      el("span", { class: "lane-name" }, el("span", { class: "strong" }, visible(those[0].name)), el("span", { class: "sub" }, name)),
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "lane", role: "group", "aria-label": `${visible(those[0].name)}, ${name}` }, those.map((one) => {
        const [from, to] = [x(one.started), x(one.ended ?? until)];
        return svg("a", { href: `/alerts${query({ view: "history", since: span, occurrence: one.id })}`, "data-route": true, dataset: { key: one.id }, "aria-label": `${visible(one.name)}, ${one.severity}, ${when(one)}` },
          svg("title", {}, `${when(one)}${one.acknowledged ? `, in hand of ${visible(one.acknowledged.by)}` : ""}`), bar(from, Math.max(3, to - from), HEIGHT, one.severity));
      }))));
    const ticks = Array.from({ length: TICKS + 1 }, (_, index) => el("span", {}, index === TICKS ? "now" : tick(since + (until - since) * index / TICKS, until - since)));
    refill(place, lines.length ? [el("ul", { class: "lanes" }, lines), el("div", { class: "ticks", "aria-hidden": "true" }, ticks)] : []);
  }
  return { node, read, every: 15_000 };
}

const tick = (at, length) => (length > 2 * 86400 ? moment(at).day.slice(5) : new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));

/** A bar; how bad it is shows in its height and outline too, not in its colour alone. */
function bar(x, width, height, severity) {
  const part = { critical: 1, warning: 0.66, info: 0.33 }[severity] ?? 0.5;
  return svg("rect", { x, y: height * (1 - part) / 2, width, height: height * part, class: `bar-of ${["critical", "warning", "info"].includes(severity) ? severity : "info"}` });
}

/** Occurrences by what they are about, the worst and longest first. */
function rowsOf(occurrences) {
  const rows = new Map();
  for (const one of occurrences) {
    const key = `${one.alert}`;
    rows.set(key, [...(rows.get(key) ?? []), one]);
  }
  const lasted = (those) => those.reduce((sum, one) => sum + (one.ended ?? Date.now() / 1000) - one.started, 0);
  return [...rows.values()].sort((a, b) => badness(a[0]) - badness(b[0]) || lasted(b) - lasted(a)).map((those) => [`${about(those[0].labels)} (${duration(lasted(those))})`, those]);
}
