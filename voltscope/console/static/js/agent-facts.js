// What an agent is at this moment: state, health, process, version, and what was last wrong with it.

import { el, mark } from "/static/js/dom.js";
import { count, duration, moment, visible } from "/static/js/format.js";
import { HEALTH, STATES } from "/static/js/states.js";

const tile = (name, ...content) => el("div", { class: "tile" }, el("span", { class: "label" }, name), el("span", { class: "value" }, ...content));

/** Package, version and tag; the name VOLTTRON gives usually ends in the version. */
export function origin({ name, version, tag }) {
  const told = name?.endsWith(version) ? name : [name, version].filter(Boolean).join(" ");
  return [told, tag && `tag ${tag}`].filter(Boolean).join(" · ");
}

export function stateMark(agent) {
  const [kind, word, why] = STATES[agent.state] ?? ["unknown", agent.state ?? "unknown"];
  const status = agent.exit_status;
  const shown = agent.state === "crashed" && status !== null ? `${word} (${status})` : word;
  return mark(kind, shown, why ?? (status !== null && status !== undefined ? `exit status ${status}` : undefined));
}

export function healthMark(agent) {
  if (!agent.health) return el("span", { class: "hint" }, "–");
  const [kind, word] = HEALTH[agent.health] ?? ["unknown", "–"];
  return mark(kind, word, agent.health_age_seconds === null ? undefined : `for ${duration(agent.health_age_seconds)}`);
}

export function heartbeat(agent) {
  if (agent.heartbeat_age_seconds !== null) return el("span", {}, `${duration(agent.heartbeat_age_seconds)} ago`);
  return el("span", { class: "hint", title: "Agents on the modular platform send none unless they ask for it." }, "none sent");
}

/** How an alert is marked and said. */
export function alertMark({ name, severity }) {
  const kind = severity === "critical" ? "bad" : severity === "info" ? "info" : "warning";
  return mark(kind, [visible(name), visible(severity)].filter(Boolean).join(", "));
}

/** Tiles; `pid` of the profiler's targets (null: unknown), `alerts` of the time shown, oldest first. */
export function factTiles(facts, pid, alerts) {
  if (!facts) return [tile("State", mark("unknown", "unknown"))];
  const last = alerts.at(-1);
  return [
    tile("State", stateMark(facts)),
    tile("Health", healthMark(facts)),
    tile("Heartbeat", heartbeat(facts)),
    tile("Process", pid === null ? "–" : `pid ${pid}`),
    tile("Runs since", facts.uptime_seconds === null ? "–" : duration(facts.uptime_seconds)),
    tile("Restarts", count(facts.restarts)),
    tile("Version", visible(origin(facts)) || "–", facts.outdated ? el("span", { class: "sub-words" }, "a newer one is installed: restart it") : ""),
    tile("Last alert", ...(last ? [alertMark(last), el("span", { class: "sub-words" }, last.until === null ? "still" : `until ${moment(last.until).short}`)] : ["none in this time"])),
  ];
}
