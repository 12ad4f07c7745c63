// What happened to an agent in the time shown: its starts, alerts and captures, as a table and as lines in the plots.

import { query } from "/static/js/api.js";
import { el, mark, refill } from "/static/js/dom.js";
import { duration, moment, visible } from "/static/js/format.js";
import { alertMark } from "/static/js/agent-facts.js";
import { KIND_NAMES } from "/static/js/flamegraphs-pictures.js";

const RAISED = "raised by the agent"; // on its own bus: no alert of Prometheus
const AROUND_S = 300; // of the logs that a moment leads to
const COLOURS = { start: "--accent", alert: "--bad", capture: "--odd" };
const LINES = [["start", "started"], ["alert", "alert"], ["capture", "capture"]];

const logs = (agent, at, words) => el("a", { href: `/logs${query({ agent, since: Math.floor(at - AROUND_S), until: Math.floor(at + AROUND_S) })}`, "data-route": true, "aria-label": `Logs around ${words}`, dataset: { key: `logs-${at}-${words}` } }, "Logs");

/** Where an alert is told of whole: among those that go on, or in the history. */
function whole(alertsOf, { name, until }) {
  const address = `/alerts${query(until === null ? alertsOf : { view: "history", ...alertsOf, name, since: "30d" })}`;
  return el("a", { href: address, "data-route": true, "aria-label": `The alert ${visible(name)}`, dataset: { key: `alert-${name}-${until}` } }, "Alert");
}

/** `alertsOf`: agent, site and instance as alerts have them, null without an alertd. `events(found, captures)` draws them; `marks()`: what plots show. Newest first. */
export function agentEvents(agent, { own, alertsOf }) {
  const node = el("section", { class: "panel", "aria-labelledby": "events-title" });
  let all = [];

  function row({ at, kind, what, ways }) {
    const cells = [moment(at).short, what, ways];
    return el("tr", { class: `event of-${kind}` }, cells.map((content, index) => el(index ? "td" : "th", { scope: index ? null : "row", class: index === 2 ? "actions" : null, dataset: { label: ["When", "What", ""][index] } }, content)));
  }

  return {
    node,
    marks: () => all.map(({ at, kind }) => ({ at, colour: COLOURS[kind] })),
    update({ starts, alerts, since, until }, captures) {
      all = [
        ...starts.map((at) => ({ at, kind: "start", what: mark("info", "a process of it started"), ways: own ? logs(agent, at, `the start at ${moment(at).short}`) : "" })),
        ...alerts.map((alert) => ({ at: alert.since, kind: "alert", what: [alertMark(alert), el("span", { class: "hint" }, alert.until === null ? " fires still" : ` for ${duration(alert.until - alert.since)}`)], ways: [alertsOf && alert.severity !== RAISED ? [whole(alertsOf, alert), " "] : "", own ? logs(agent, alert.since, visible(alert.name)) : ""].flat() })),
        ...captures.map((one) => ({ at: Date.parse(one.started) / 1000, kind: "capture", what: [mark("odd", `${KIND_NAMES[one.kind] ?? visible(one.kind)} capture`), el("span", { class: "hint" }, ` ${visible(one.words ?? "")}`)], ways: el("a", { href: `/flamegraphs${query({ agent, id: one.id })}`, "data-route": true, "aria-label": `The flamegraph of ${moment(Date.parse(one.started) / 1000).short}`, dataset: { key: one.id } }, "Flamegraph") })),
      ].filter(({ at }) => since <= at && at <= until).sort((one, other) => other.at - one.at);
      const legend = LINES.filter(([kind]) => all.some((one) => one.kind === kind)).map(([kind, word]) => {
        const swatch = el("span", { class: "swatch-line upright", "aria-hidden": "true" });
        swatch.style.borderLeftColor = `var(${COLOURS[kind]})`;
        return el("span", {}, swatch, word);
      });
      refill(node, el("h2", { id: "events-title" }, "What happened"),
        all.length === 0 ? el("p", { class: "hint" }, "No start, alert or capture in this time.") : [
          el("p", { class: "hint event-lines" }, "Lines in the plots: ", legend),
          el("table", { "aria-labelledby": "events-title" },
            el("thead", { class: "visually-hidden" }, el("tr", {}, ["When", "What", "See"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, all.map(row))),
        ]);
    },
  };
}
