// The table of platforms: a row each with state, agents, alerts, age of data, versions, and broken agents over time.

import { el, mark } from "/static/js/dom.js";
import { count, duration, visible } from "/static/js/format.js";
import { sparkline } from "/static/js/sparkline.js";
import { STATES, urgency } from "/static/js/states.js";
import { row } from "/static/js/tables.js";

/** State of a platform: kind of mark and word, the worst first. */
export const CONDITIONS = {
  "not-scraped": ["bad", "not scraped"],
  down: ["bad", "platform down"],
  critical: ["bad", "critical"],
  warning: ["warning", "warning"],
  well: ["good", "well"],
};
const ORDER = Object.keys(CONDITIONS);
const BROKEN = ["crashed", "zombie", "hung"];
const SEVERITIES = { critical: "bad", warning: "warning", info: "info" };

const broken = ({ agents }) => BROKEN.reduce((sum, state) => sum + (agents[state] ?? 0), 0);
const alerts = ({ alerts: by }) => (by.critical ?? 0) * 1e6 + (by.warning ?? 0) * 1e3 + (by.info ?? 0);
const words = (one) => [one.generation, one.version].filter(Boolean).join(" ");
const name = (one) => [one.site, one.instance].join("\u0000");

// [column's name, its class, key in the address, value to sort by: the least first]
const COLUMNS = [
  ["Platform", "", "platform", name],
  ["State", "", "state", (one) => ORDER.indexOf(one.state)],
  ["Agents", "", "agents", (one) => -broken(one)],
  ["Alerts", "", "alerts", (one) => -alerts(one)],
  ["Newest data", "num", "data", (one) => -(one.newest_data_seconds ?? one.seen_seconds ?? -1)],
  ["VOLTTRON", "", "version", words],
  ["voltscope", "", "voltscope", (one) => one.voltscope ?? ""],
  ["Broken agents, 6 h", "num", "broken", (one) => -Math.max(-1, ...one.broken)],
];

const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b);

/** In the order of a column; as the server has them, the worst first, among equals. */
export function sorted(instances, by, down) {
  const value = COLUMNS.find(([, , key]) => key === by)?.[3];
  if (!value) return instances;
  const valued = instances.map((one) => [value(one), one]);
  return valued.sort(([a], [b]) => compare(a, b) * (down ? -1 : 1)).map(([, one]) => one);
}

/** Whether every word is in what a platform is called, runs or is. */
export function matches(one, text) {
  const all = [one.site, one.instance, words(one), one.voltscope, CONDITIONS[one.state]?.[1], ...Object.keys(one.alerts), ...BROKEN.filter((state) => one.agents[state])].join(" ").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

/** `tools`: by, down, spark, way(one) where a row leads, alertsOf(one) where its alerts are (null: nowhere), chosen
 * {site, instance}, order(key) somebody wants. */
export function fleetTable(instances, { by, down, spark, way, alertsOf, chosen, order }) {
  if (instances.length === 0) return el("p", { class: "hint" }, "No platform is like that.");
  const heads = COLUMNS.map(([label, kind, key]) => el("th", { scope: "col", class: kind, "aria-sort": by === key ? (down ? "descending" : "ascending") : null },
    el("button", { type: "button", class: "sorter", dataset: { key: `by-${key}` }, on: { click: () => order(key) } }, label)));
  return el("table", { "aria-labelledby": "fleet-title" }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, instances.map((one) => platform(one, { spark, way, alertsOf, chosen }))));
}

function platform(one, { spark, way, alertsOf, chosen }) {
  const [kind, word] = CONDITIONS[one.state] ?? ["unknown", one.state];
  const line = row(COLUMNS, [
    [el("a", { class: "identity", href: way(one), "data-route": true, dataset: { key: `platform-${one.site}/${one.instance}` } }, visible(one.instance || "–")), el("span", { class: "sub" }, visible(one.site))],
    [mark(kind, word), one.state === "not-scraped" ? el("span", { class: "sub" }, one.seen_seconds === null ? "not in the last 6 h" : `last ${duration(one.seen_seconds)} ago`) : null],
    agentsBy(one),
    alertsBy(one, alertsOf(one)),
    [one.newest_data_seconds === null ? "–" : `${duration(one.newest_data_seconds)} ago`],
    [visible(words(one)) || "–"],
    [visible(one.voltscope ?? "–")],
    [el("span", { class: "figure" }, sparkline(one.broken, { name: "Broken agents", top: 1, say: count, step: spark.step }), el("span", {}, Object.keys(one.agents).length ? count(broken(one)) : "–"))],
  ]);
  if (chosen && chosen.site === one.site && chosen.instance === one.instance) line.classList.add("current");
  return line;
}

function agentsBy({ agents }) {
  const there = Object.entries(agents).sort(([a], [b]) => urgency(a) - urgency(b));
  if (there.length === 0) return ["–"];
  return [el("span", { class: "marks" }, there.map(([state, number]) => mark(STATES[state]?.[0] ?? "unknown", `${number} ${STATES[state]?.[1] ?? visible(state)}`)))];
}

function alertsBy({ site, instance, alerts: by, alerting_since: since }, address) {
  const there = Object.keys(SEVERITIES).filter((severity) => by[severity]);
  if (there.length === 0) return [el("span", { class: "hint" }, "none")];
  const marks = there.map((severity) => mark(SEVERITIES[severity], `${by[severity]} ${severity}`));
  return [address ? el("a", { class: "marks", href: address, "data-route": true, dataset: { key: `alerts-${site}/${instance}` } }, marks) : el("span", { class: "marks" }, marks),
    since ? el("span", { class: "sub" }, `for ${duration(Date.now() / 1000 - since)}`) : null];
}
