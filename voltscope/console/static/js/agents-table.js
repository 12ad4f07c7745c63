// The agents of a platform, those that need somebody first, each with the way to its own pages.

import { query } from "/static/js/api.js";
import { healthMark, heartbeat, origin, stateMark } from "/static/js/agent-facts.js";
import { agentPage } from "/static/js/agent-links.js";
import { el } from "/static/js/dom.js";
import { bytes, count, percent, visible } from "/static/js/format.js";
import { sparkline } from "/static/js/sparkline.js";
import { urgency } from "/static/js/states.js";
import { row, table } from "/static/js/tables.js";

export const LINE_CPU = { name: "CPU", top: 2, say: percent };
export const LINE_MEMORY = { name: "Memory", top: 1 << 20, say: bytes };

const AGENT_COLUMNS = [
  ["Agent"], ["State"], ["Health"], ["Heartbeat"], ["Restarts", "num"], ["CPU", "num"], ["Memory", "num"], ["", "actions"],
];

/** `tools`: may_capture; `platform`: {site, instance} of another platform, whose agents have only figures here. */
export function agentTable(agents, { may_capture, platform = null }) {
  const sorted = [...agents].sort((a, b) => urgency(a.state) - urgency(b.state) || a.agent.localeCompare(b.agent));
  const rows = sorted.map((agent) => row(AGENT_COLUMNS, [
    [
      el("a", { class: "identity", href: agentPage(agent.agent, platform ?? {}), "data-route": true, dataset: { key: `agent-${agent.agent}` } }, visible(agent.agent)),
      el("span", { class: "sub" }, visible(origin(agent))),
    ],
    [stateMark(agent)],
    [healthMark(agent)],
    [heartbeat(agent)],
    [el("span", { class: agent.restarts > 0 ? "strong" : "" }, count(agent.restarts))],
    figure(percent(agent.cpu_percent), sparkline(agent.cpu, LINE_CPU)),
    figure(bytes(agent.memory_bytes), sparkline(agent.memory, LINE_MEMORY)),
    platform ? [] : [
      link(`/logs${query({ agent: agent.agent })}`, "Logs", `Logs of ${agent.agent}`),
      ...(may_capture && agent.state === "running"
        ? [
            link(`/flamegraphs${query({ agent: agent.agent })}`, "Flamegraph", `Capture a flamegraph of ${agent.agent}`),
            link(`/live${query({ agent: agent.agent })}`, "Live", `Live views of ${agent.agent}`),
          ]
        : []),
    ],
  ]));
  return table("agents-title", "Agents", AGENT_COLUMNS, rows, "No agents are known.");
}

function link(href, text, label) {
  return el("a", { href, "data-route": true, "aria-label": label, dataset: { key: href } }, text);
}

function figure(text, line) {
  return [el("span", { class: "figure" }, line, el("span", {}, text))];
}
