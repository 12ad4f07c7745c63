// Alerts: what fires, when it did, what was, what is kept quiet and who did that; alertd is asked.

import { el, refill } from "/static/js/dom.js";
import { query } from "/static/js/api.js";
import { auditView } from "/static/js/alerts-audit.js";
import { historyView } from "/static/js/alerts-history.js";
import { nowView } from "/static/js/alerts-now.js";
import { standingView } from "/static/js/alerts-standing.js";
import { timelineView } from "/static/js/alerts-timeline.js";
import { refreshed } from "/static/js/refreshed.js";

export const title = "Alerts";

const VIEWS = [
  ["now", "Now", nowView],
  ["timeline", "Timeline", timelineView],
  ["history", "History", historyView],
  ["silences", "Kept quiet", standingView],
  ["audit", "Audit", auditView],
];

export function mount(root, { session, parameters, go }) {
  const stop = new AbortController();
  const { signal } = stop;
  const [name, , make] = VIEWS.find(([key]) => key === parameters.get("view")) ?? VIEWS[0];
  const troubles = el("div", { "aria-live": "polite" });
  const fresh = el("p", { class: "hint fresh" }, "Loading…");
  const ways = VIEWS.map(([key, word]) => el("a", { href: `/alerts${query({ view: key === "now" ? "" : key })}`, "data-route": true, "aria-current": key === name ? "page" : null, dataset: { key: `view-${key}` } }, word));
  const view = make({ session, parameters, signal, go });
  root.append(el("h1", { class: "visually-hidden" }, "Alerts"), el("div", { class: "views", role: "navigation", "aria-label": "Views of alerts" }, ways), troubles, view.node, fresh);

  async function read() {
    await view.read();
    refill(troubles);
    return Date.now();
  }

  return refreshed(read, view.every, { stop, troubles, fresh });
}
