// What goes on now: all alerts, the worst first, and the one that is open.

import { get, query } from "/static/js/api.js";
import { el, notice, refill } from "/static/js/dom.js";
import { count, visible } from "/static/js/format.js";
import { table, row } from "/static/js/tables.js";
import { alertDetail, since } from "/static/js/alerts-detail.js";
import { SEVERITIES, STATES, about, badness, field, severityMark, stateMark } from "/static/js/alerts-parts.js";

export const EVERY_MS = 5000;
const COLUMNS = [["Alert", ""], ["How bad", ""], ["State", ""], ["Since", "num"], ["About", ""], ["In hand of", ""]];
const WITHIN = ["site", "instance", "agent"]; // chosen by who leads here

export function nowView({ session, parameters, signal }) {
  const asked = Object.fromEntries(["q", "state", "severity", ...WITHIN].map((name) => [name, parameters.get(name) ?? ""]));
  const opened = parameters.get("alert");
  const address = (more) => `/alerts${query({ ...asked, ...more })}`;
  const detail = alertDetail({ session, close: address({}), changed: () => read() });
  const tiles = el("section", { class: "tiles", "aria-label": "Alerts by state" });
  const state = choice(STATES, "any state");
  const severity = choice(SEVERITIES, "any");
  const text = el("input", { type: "search", placeholder: "Alert, agent, text", autocomplete: "off", "data-search": true });
  const place = el("div", {});
  const troubles = el("div", { "aria-live": "polite" });
  const within = WITHIN.filter((name) => asked[name]);
  const node = el("div", { class: "alerts-view" }, tiles, troubles, detail.node,
    el("section", { class: "panel" },
      el("div", { class: "filters" }, field("alert-text", "Search", text, "field wide"), field("alert-state", "State", state), field("alert-severity", "How bad", severity),
        within.length ? el("p", { class: "hint" }, `Only of ${within.map((name) => `${name} ${visible(asked[name])}`).join(", ")}. `, el("a", { href: `/alerts${query({ q: asked.q, state: asked.state, severity: asked.severity })}`, "data-route": true }, "All")) : null),
      place));
  [text.value, state.value, severity.value] = [asked.q, asked.state, asked.severity];
  let seen = null;
  let past = null; // what was of the alert that is open, once it is over

  for (const [input, name] of [[text, "q"], [state, "state"], [severity, "severity"]]) {
    input.addEventListener("input", () => {
      asked[name] = input.value;
      history.replaceState(null, "", address({ alert: opened }));
      draw();
    });
  }

  const meant = (one) => (!asked.state || one.state === asked.state) && (!asked.severity || one.severity === asked.severity)
    && WITHIN.every((name) => !asked[name] || one.labels[name] === asked[name])
    && asked.q.toLowerCase().split(/\s+/).every((part) => `${Object.values(one.labels).join(" ")} ${one.annotations.summary ?? ""} ${one.annotations.description ?? ""}`.toLowerCase().includes(part));

  function draw() {
    if (!seen) return;
    const shown = seen.alerts.filter(meant).sort((a, b) => badness(a) - badness(b) || a.started - b.started);
    const empty = seen.alerts.length ? "No alert is like that." : "No alert goes on.";
    refill(place, table("now-title", shown.length === seen.alerts.length ? "Going on" : `Going on: ${shown.length} of ${seen.alerts.length}`, COLUMNS, shown.map(line), empty),
      seen.left_off ? el("p", { class: "hint" }, `${count(seen.left_off)} more are not shown.`) : null);
  }

  function line(one) {
    const by = one.acknowledgement ?? one.silenced_by[0];
    const made = row(COLUMNS, [
      el("a", { class: "identity", href: address({ alert: one.id }), "data-route": true, dataset: { key: one.id } }, visible(one.name)),
      severityMark(one.severity), [stateMark(one), one.flapping ? el("span", { class: "sub" }, "flapping") : null],
      since(one.started), about(one.labels), by ? [visible(by.by), el("span", { class: "sub" }, visible(by.why).slice(0, 120))] : "–",
    ]);
    if (one.id === opened) made.classList.add("current");
    return made;
  }

  async function read() {
    seen = await get("/api/alerts?limit=2000", signal);
    refill(tiles, Object.entries(STATES).map(([name, [, word]]) => el("div", { class: `tile${seen.counts[name] ? "" : " none"}` }, el("span", { class: "label" }, word), el("span", { class: "value" }, count(seen.counts[name] ?? 0)))));
    refill(troubles, doubts(seen));
    draw();
    const one = opened && seen.alerts.find(({ id }) => id === opened);
    if (one) past = null;
    else if (opened) past ??= (await get(`/api/alerts/history${query({ alert: opened, limit: 1 })}`, signal)).occurrences[0];
    if (one ?? past) detail.show(one ?? past, signal);
    else if (opened) detail.gone();
  }
  return { node, read, every: EVERY_MS };
}

/** Why what is shown may not be so. */
function doubts({ alertmanager, watchdog }) {
  const found = [];
  if (!alertmanager.reachable) {
    found.push(notice({ message: "Alertmanager does not answer: this is what was known before.", remedy: `${visible(alertmanager.error ?? "")} Acknowledgements can be given; they are applied when it is back.` }));
  }
  if (watchdog.state === "late") found.push(notice({ message: "The watchdog is late: rules may not be judged, or alerts not arrive.", remedy: "Look whether Prometheus runs and reaches Alertmanager." }));
  if (watchdog.state === "never") found.push(notice({ message: "No watchdog was ever heard of: whether rules are judged is not known.", remedy: "Load the shipped rules in Prometheus: they hold an alert that always fires." }, "warning"));
  return found;
}

const choice = (names, all) => el("select", {}, el("option", { value: "" }, all), Object.entries(names).map(([value, [, word]]) => el("option", { value }, word)));
