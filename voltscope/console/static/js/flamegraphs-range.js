// All that was sampled of an agent, or of several, between two moments; and what is sampled all the time.

import { get, query } from "/static/js/api.js";
import { agentPage } from "/static/js/agent-links.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { count, duration, moment, visible } from "/static/js/format.js";
import { functionsPanel } from "/static/js/flamegraphs-functions.js";
import { KINDS, downloads, field, page, picture, select, to } from "/static/js/flamegraphs-pictures.js";
import { heads } from "/static/js/tables.js";

const SPANS = [["900", "15 minutes"], ["3600", "1 hour"], ["21600", "6 hours"], ["86400", "24 hours"], ["604800", "7 days"]];
const REASONS = [["", "Whatever was sampled"], ["continuous", "Continuous profiling"], ["on-demand", "Captures on demand"]];

const local = (epoch) => {
  const at = new Date(epoch * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
};
const epoch = (text) => Math.floor(new Date(text).getTime() / 1000);
const DAY_S = 86400;

/** The form; submitting it changes the address, which holds everything. */
export function rangeForm(parameters, go, agents) {
  const now = Date.now() / 1000;
  const since = Number(parameters.get("since")) || now - 3600;
  const until = Number(parameters.get("until")) || now;
  const agent = el("input", { id: "range-agent", name: "agent", required: true, maxlength: 256, list: "range-agents", value: parameters.get("agent") ?? "", autocomplete: "off", spellcheck: "false" });
  const from = el("input", { id: "since", type: "datetime-local", required: true, value: local(since) });
  const upto = el("input", { id: "until", type: "datetime-local", required: true, value: local(until) });
  const kind = select("range-kind", KINDS, parameters.get("kind") ?? "cpu");
  const reason = select("reason", REASONS, parameters.get("reason") ?? "");
  const last = el("div", { class: "links" }, "The last", SPANS.map(([seconds, words]) => {
    const button = el("button", { type: "button", class: "quiet" }, words);
    button.addEventListener("click", () => {
      const end = Date.now() / 1000;
      if (agent.reportValidity()) leave(Math.floor(end - Number(seconds)), Math.ceil(end));
    });
    return button;
  }));
  const leave = (begin, end) => go(page({ view: "range", agent: agent.value.trim(), kind: kind.value, reason: reason.value, since: begin, until: end }));
  const node = el("form", { class: "panel filters" },
    field("range-agent", "Agent, or several as in platform.*", agent, "wide"), el("datalist", { id: "range-agents" }, agents.map((name) => el("option", { value: name }))),
    field("range-kind", "What was sampled", kind), field("reason", "Why", reason),
    field("since", "From", from), field("until", "To", upto),
    el("div", { class: "field buttons" }, el("button", { type: "submit", class: "primary" }, "Show")), last);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    upto.setCustomValidity(epoch(upto.value) < epoch(from.value) ? "It ends before it begins." : "");
    if (upto.reportValidity()) leave(epoch(from.value), epoch(upto.value) + 59);
  });
  upto.addEventListener("input", () => upto.setCustomValidity(""));
  return node;
}

/** Draws the range that the address names into `viewer`; the functions into `below`. */
export async function showRange(viewer, below, parameters, session, signal) {
  const asked = Object.fromEntries(["agent", "kind", "reason", "since", "until"].map((name) => [name, parameters.get(name)]));
  if (!asked.agent || !asked.since || !asked.until) return;
  const address = (form) => `/merged.${form}${query(asked)}`;
  const [since, until] = [Number(asked.since), Number(asked.until)];
  const title = el("h2", {}, visible(asked.agent));
  const when = el("span", { class: "hint" }, `${moment(since).short} to ${moment(until).short}, ${duration(until - since)}`);
  refill(viewer, el("div", { class: "viewer-head" }, title, when), el("p", { class: "hint" }, "Merging…"));
  try {
    const profile = await get(address("json"), signal);
    if (profile.total === 0) {
      refill(viewer, el("div", { class: "viewer-head" }, title, when), notice({ message: "Nothing was sampled in that time.", remedy: "Another kind or a longer time may have something: below stands what is sampled all the time." }, "info"));
      return;
    }
    const day = ["-", ""].map((sign) => (sign ? `${since - DAY_S},${until - DAY_S}` : `${since},${until}`));
    const yesterday = to(page({ view: "compare", agent: asked.agent, kind: asked.kind, reason: asked.reason, before: day[0], after: day[1] }), "Compare with the day before");
    const plots = asked.agent.includes("*") ? null : to(agentPage(asked.agent, { since, until }), "Plots of this time");
    refill(viewer, el("div", { class: "viewer-head" }, title, when), downloads(address, `voltscope-${asked.agent}`, session, [yesterday, plots]),
      picture(address("svg"), `Flamegraph of ${asked.agent}. ${profile.words}`));
    refill(below, functionsPanel(profile, asked.agent.includes("*") ? null : asked.agent));
  } catch (error) {
    if (error.name !== "AbortError") refill(viewer, el("div", { class: "viewer-head" }, title, when), notice(error));
  }
}

/** What is sampled all the time, and how it goes. */
export function continuousPanel(found) {
  if (found.length === 0) return [];
  const now = Math.ceil(Date.now() / 1000);
  const rows = found.map((one) => el("tr", {},
    el("th", { scope: "row", class: "identity" }, visible(one.agent)),
    el("td", { dataset: { label: "How it goes" } }, one.failure ? mark("bad", visible(one.failure)) : one.windows ? mark("good", "sampled") : mark("unknown", "beginning")),
    el("td", { class: "num", dataset: { label: "Windows" } }, count(one.windows)),
    el("td", { class: "num", dataset: { label: "Missed" } }, count(one.missed)),
    el("td", { class: "actions" }, to(page({ view: "range", agent: one.agent, kind: "cpu", reason: "continuous", since: now - 3600, until: now }), "Last hour", { "aria-label": `Flamegraph of the last hour of ${visible(one.agent)}` }))));
  return [el("h2", { id: "continuous-title" }, "Profiled all the time"),
    el("table", { "aria-labelledby": "continuous-title" },
      el("thead", {}, el("tr", {}, heads([["Agent"], ["How it goes"], ["Windows", "num"], ["Missed", "num"], ["", "actions"]]))),
      el("tbody", {}, rows))];
}
