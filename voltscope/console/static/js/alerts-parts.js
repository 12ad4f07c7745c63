// What the views of alerts share: how an alert, its severity and what it is about are shown, and which time is asked for.

import { el, mark } from "/static/js/dom.js";
import { duration, moment, visible } from "/static/js/format.js";

export const SEVERITIES = { critical: ["bad", "critical"], warning: ["warning", "warning"], info: ["info", "info"] };
export const STATES = {
  firing: ["bad", "firing"],
  acknowledged: ["good", "acknowledged"],
  silenced: ["stopped", "silenced"],
  inhibited: ["unknown", "inhibited"],
};
export const SPANS = [["1h", "1 h", 3600], ["6h", "6 h", 6 * 3600], ["24h", "24 h", 24 * 3600], ["7d", "7 d", 7 * 86400], ["30d", "30 d", 30 * 86400]];
export const KINDS = { acknowledgement: "acknowledged", silence: "silence", maintenance: "maintenance", decommission: "given up", flapping: "flapping", other: "silence" };

const ORDER = Object.keys(SEVERITIES);
const SECONDS = Object.fromEntries(SPANS.map(([key, , seconds]) => [key, seconds]));

/** The lower, the worse. */
export const badness = ({ severity }) => (ORDER.indexOf(severity) + ORDER.length + 1) % (ORDER.length + 1);

export const severityMark = (severity) => mark(...(SEVERITIES[severity] ?? ["unknown", visible(severity || "unknown")]));
export const stateMark = (one) => mark(...(STATES[one.state] ?? ["unknown", visible(one.state)]), one.state === "inhibited" ? "Another alert tells of its cause." : null);

/** `platform.historian on boiler-house, campus`: what an alert with these labels is about; of one that tells of another
 * alert, which comes and goes, that one's name before it. */
export function about(labels) {
  const what = labels.agent ?? labels.device;
  const where = [labels.instance, labels.site].filter(Boolean).join(", ");
  const place = [what, where].filter(Boolean).join(" on ");
  return visible([labels.flapping, place].filter(Boolean).join(": ")) || "–";
}

/** `at` and, where it is over, how long it lasted. */
export const when = ({ started, ended }) => `${moment(started).short}${ended ? `, for ${duration(ended - started)}` : ", goes on"}`;

/** The beginning of a span by its key, in seconds since the epoch. */
export const beginning = (span) => Math.floor(Date.now() / 1000 - (SECONDS[span] ?? SECONDS["24h"]));

/** Choices of a span; `chosen(key)` is called. */
export function spans(now, chosen) {
  const buttons = SPANS.map(([key, name]) => el("button", { type: "button", class: "small", "aria-pressed": String(key === now), dataset: { key: `span-${key}` }, on: { click: () => chosen(key) } }, name));
  return el("span", { class: "choices-row", role: "group", "aria-label": "Time shown" }, buttons);
}

/** A field with a label above it. */
export function field(id, name, input, kind = "field") {
  input.id = id;
  return el("div", { class: kind }, el("label", { for: id }, name), input);
}

/** A long text, folded; hostile text is text all the same. */
export function words(text, longest = 600) {
  const all = visible(text);
  if (all.length <= longest) return el("p", { class: "alert-words" }, all);
  return el("details", { class: "alert-words" }, el("summary", {}, `${all.slice(0, longest)}…`), el("p", {}, all.slice(longest)));
}

/** A link to what alertd leads to: into this console where it is ours, else in a window of its own. */
export function way(name, address) {
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) return el("span", {}, `${name}: `, el("code", {}, visible(address)));
  const url = new URL(address);
  if (url.origin === location.origin) return el("a", { href: url.pathname + url.search, "data-route": true, dataset: { key: `way-${name}` } }, name);
  return el("a", { href: address, rel: "noreferrer", target: "_blank", dataset: { key: `way-${name}` } }, name, el("span", { "aria-hidden": "true" }, " ↗"));
}
