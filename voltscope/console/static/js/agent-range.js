// Which time is shown: the last hour, day or week, or from one moment to another.

import { el } from "/static/js/dom.js";
import { moment } from "/static/js/format.js";
import { field } from "/static/js/flamegraphs-pictures.js";

export const SPANS = [["1h", "1 h", 3600], ["24h", "24 h", 86400], ["7d", "7 d", 604800]];
const LEAST_S = 60;
const MOST_S = 92 * 86400;

/** A moment as `datetime-local` wants it, and back. */
const local = (epoch) => `${moment(epoch).day}T${moment(epoch).time}`;
const epoch = (text) => new Date(text).getTime() / 1000;

/** Of an address: `{since: "1h"}`, or since and until in seconds. */
export function rangeOf(parameters) {
  const [since, until] = ["since", "until"].map((name) => Number(parameters.get(name)));
  if (since > 0 && until > since) return { since, until };
  const name = parameters.get("since");
  if (since > 0) return { since, until: Math.floor(Date.now() / 1000) };
  return { since: SPANS.some(([value]) => value === name) ? name : SPANS[0][0] };
}

/** The same in seconds since the epoch. */
export function fixed({ since, until }) {
  if (until) return { since, until };
  const now = Math.floor(Date.now() / 1000);
  return { since: now - SPANS.find(([value]) => value === since)[2], until: now };
}

/** Twice as long around the same middle, and not beyond now. */
export function widened(range) {
  const { since, until } = fixed(range);
  const now = Math.floor(Date.now() / 1000);
  const half = Math.max(1, Math.min(MOST_S / 4, (until - since) / 2));
  const end = Math.min(now, until + half);
  return { since: Math.floor(end - 2 * Math.min(MOST_S / 2, until - since)), until: Math.floor(end) };
}

/** A minute at least, for a plot needs one. */
export function narrowed(since, until) {
  const missing = Math.max(0, LEAST_S - (until - since));
  return { since: Math.floor(since - missing / 2), until: Math.ceil(until + missing / 2) };
}

/** `chosen(range)`: somebody wants another. */
export function rangeForm(range, chosen) {
  const buttons = SPANS.map(([value, name]) =>
    el("button", { type: "button", class: "small", dataset: { key: value }, on: { click: () => chosen({ since: value }) } }, name));
  const wider = el("button", { type: "button", class: "small", on: { click: () => chosen(widened(range)) } }, "Zoom out");
  const [from, to] = ["since", "until"].map((id) => el("input", { id, type: "datetime-local", step: 1, required: true }));
  const show = el("button", { type: "submit", class: "small primary" }, "Show");
  const custom = el("form", { class: "custom-range" }, field("since", "From", from), field("until", "To", to), show);
  const details = el("details", { class: "further" }, el("summary", {}, "From … to …"), custom);
  const node = el("div", { class: "ranges" }, el("span", { class: "choices-row", role: "group", "aria-label": "Time shown" }, buttons, wider), details);
  custom.addEventListener("submit", (event) => {
    event.preventDefault();
    const [since, until] = [epoch(from.value), epoch(to.value)];
    to.setCustomValidity(until - since < LEAST_S ? "A minute at least after it begins." : until - since > MOST_S ? "92 days at most." : "");
    if (to.reportValidity()) chosen({ since, until });
  });
  for (const input of [from, to]) input.addEventListener("input", () => to.setCustomValidity(""));

  function set(now) {
    range = now;
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(!now.until && now.since === SPANS[index][0])));
    const { since, until } = fixed(now);
    [from.value, to.value] = [local(since), local(until)];
    details.open ||= Boolean(now.until);
  }
  set(range);
  return { node, set };
}
