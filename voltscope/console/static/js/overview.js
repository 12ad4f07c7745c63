// Overview: the platform, its agents, historians and devices, read again every ten seconds.

import { get, query } from "/static/js/api.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { bytes, count, duration, percent, visible } from "/static/js/format.js";
import { sparkline } from "/static/js/sparkline.js";

export const title = "Overview";
const EVERY_MS = 10_000;

const STATES = {
  running: ["good", "running"],
  stopped: ["stopped", "stopped"],
  crashed: ["bad", "crashed"],
  "never-started": ["unknown", "never started"],
  zombie: ["odd", "zombie", "Its process runs, but it is not on the message bus."],
  hung: ["warning", "hung", "It is on the message bus but does not answer."],
};
// What needs somebody comes first.
const ORDER = ["crashed", "hung", "zombie", "running", "stopped", "never-started"];
const urgency = (state) => (ORDER.indexOf(state) + ORDER.length + 1) % (ORDER.length + 1);

const HEALTH = {
  good: ["good", "good"],
  bad: ["bad", "bad"],
  starting: ["warning", "starting"],
  unknown: ["unknown", "unknown"],
};
const LINE_CPU = { name: "CPU", top: 2, say: percent };
const LINE_MEMORY = { name: "Memory", top: 1 << 20, say: bytes };

export function mount(root, { session }) {
  const top = el("section", { class: "tiles", "aria-label": "Platform" });
  const troubles = el("div", { "aria-live": "polite" });
  const agents = el("section", { class: "panel", "aria-labelledby": "agents-title" });
  const historians = el("section", { class: "panel" });
  const devices = el("section", { class: "panel" });
  const fresh = el("p", { class: "hint fresh", role: "status" }, "Loading…");
  root.append(
    el("h1", { class: "visually-hidden" }, "Overview"),
    top, troubles, agents, el("div", { class: "columns" }, historians, devices), fresh,
  );
  const stop = new AbortController();
  let timer;

  async function read() {
    clearTimeout(timer);
    try {
      const seen = await get("/api/overview", stop.signal);
      refill(troubles, ...problems(seen));
      refill(top, ...tiles(seen));
      refill(agents, ...agentTable(seen.agents, session));
      refill(historians, ...historianTable(seen.historians));
      refill(devices, ...deviceTable(seen.devices));
      fresh.textContent = `As of ${new Date(seen.at * 1000).toLocaleTimeString()}, read again every ${EVERY_MS / 1000} s.`;
    } catch (error) {
      if (error.name === "AbortError") return;
      refill(troubles, notice(error));
      fresh.textContent = "Not up to date.";
    }
    if (!document.hidden && !stop.signal.aborted) timer = setTimeout(read, EVERY_MS);
  }
  const onVisible = () => document.hidden || read();
  document.addEventListener("visibilitychange", onVisible);
  read();
  return () => {
    stop.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
  };
}

function problems(seen) {
  const found = [];
  if (seen.prometheus.error) found.push(notice(seen.prometheus.error));
  for (const { collector, success } of seen.collectors) {
    if (success === 0) {
      found.push(notice({ message: `The exporter's collector ${collector} fails: its figures are missing here.`, remedy: "See the log of voltscope.exporter." }, "warning"));
    }
  }
  const age = seen.platform.facts_age_seconds;
  if (age > 60) {
    found.push(notice({ message: `What the platform said about its agents is ${duration(age)} old.`, remedy: "It does not answer the exporter at the moment." }, "warning"));
  }
  return found;
}

function tile(name, ...content) {
  return el("div", { class: "tile" }, el("span", { class: "label" }, name), el("span", { class: "value" }, ...content));
}

function tiles({ platform, agents }) {
  const up = platform.up === null ? mark("unknown", "unknown") : platform.up === 1 ? mark("good", "up") : mark("bad", "down");
  const counts = new Map();
  for (const { state } of agents) counts.set(state, (counts.get(state) ?? 0) + 1);
  const states = [...counts].sort(([a], [b]) => urgency(a) - urgency(b)).map(([state, number]) => {
    const [kind, word] = STATES[state] ?? ["unknown", state ?? "unknown"];
    return mark(kind, `${number} ${word}`);
  });
  return [
    tile("Platform", up),
    tile("Agents", ...(states.length ? states : ["–"])),
    tile("VOLTTRON", [platform.generation, platform.version].filter(Boolean).map(visible).join(" ") || "–"),
    tile("Uptime", duration(platform.uptime_seconds)),
    tile("Platform CPU", el("span", { class: "num" }, percent(platform.cpu_percent)), sparkline(platform.cpu, LINE_CPU)),
    tile("Platform memory", el("span", { class: "num" }, bytes(platform.memory_bytes)), sparkline(platform.memory, LINE_MEMORY)),
  ];
}

function table(id, caption, columns, rows, empty) {
  const head = el("h2", { id }, caption);
  if (rows.length === 0) return [head, el("p", { class: "hint" }, empty)];
  const cells = columns.map(([name, kind]) => el("th", { scope: "col", class: kind }, name));
  return [
    head,
    el("table", { "aria-labelledby": id }, el("thead", {}, el("tr", {}, cells)), el("tbody", {}, rows)),
  ];
}

/** A row whose cells carry their column's name, which is shown on narrow screens. */
function row(columns, cells) {
  return el("tr", {}, cells.map((content, index) => {
    const [name, kind] = columns[index];
    const first = index === 0;
    return el(first ? "th" : "td", { class: kind, scope: first ? "row" : null, dataset: { label: name } }, content);
  }));
}

const AGENT_COLUMNS = [
  ["Agent"], ["State"], ["Health"], ["Heartbeat"], ["Restarts", "num"], ["CPU", "num"], ["Memory", "num"], ["", "actions"],
];

function agentTable(agents, session) {
  const sorted = [...agents].sort((a, b) => urgency(a.state) - urgency(b.state) || a.agent.localeCompare(b.agent));
  const rows = sorted.map((agent) => row(AGENT_COLUMNS, [
    [
      el("span", { class: "identity" }, visible(agent.agent)),
      el("span", { class: "sub" }, visible(origin(agent))),
    ],
    [stateMark(agent)],
    [healthMark(agent)],
    [heartbeat(agent)],
    [el("span", { class: agent.restarts > 0 ? "strong" : "" }, count(agent.restarts))],
    figure(percent(agent.cpu_percent), sparkline(agent.cpu, LINE_CPU)),
    figure(bytes(agent.memory_bytes), sparkline(agent.memory, LINE_MEMORY)),
    [
      link(`/logs${query({ agent: agent.agent })}`, "Logs", `Logs of ${agent.agent}`),
      ...(session.may_capture && agent.state === "running"
        ? [
            link(`/flamegraphs${query({ agent: agent.agent })}`, "Flamegraph", `Capture a flamegraph of ${agent.agent}`),
            link(`/live${query({ agent: agent.agent })}`, "Live", `Look into ${agent.agent} as it runs`),
          ]
        : []),
    ],
  ]));
  return table("agents-title", "Agents", AGENT_COLUMNS, rows, "No agents are known.");
}

/** Package, version and tag; the name VOLTTRON gives usually ends in the version. */
function origin({ name, version, tag }) {
  const told = name?.endsWith(version) ? name : [name, version].filter(Boolean).join(" ");
  return [told, tag && `tag ${tag}`].filter(Boolean).join(" · ");
}

function link(href, text, label) {
  return el("a", { href, "data-route": true, "aria-label": label, dataset: { key: href } }, text);
}

function figure(text, line) {
  return [el("span", { class: "figure" }, line, el("span", {}, text))];
}

function stateMark(agent) {
  const [kind, word, why] = STATES[agent.state] ?? ["unknown", agent.state ?? "unknown"];
  const status = agent.exit_status;
  const shown = agent.state === "crashed" && status !== null ? `${word} (${status})` : word;
  return mark(kind, shown, why ?? (status !== null && status !== undefined ? `exit status ${status}` : undefined));
}

function healthMark(agent) {
  if (!agent.health) return el("span", { class: "hint" }, "–");
  const [kind, word] = HEALTH[agent.health] ?? ["unknown", "–"];
  return mark(kind, word, agent.health_age_seconds === null ? undefined : `for ${duration(agent.health_age_seconds)}`);
}

function heartbeat(agent) {
  if (agent.heartbeat_age_seconds !== null) return el("span", {}, `${duration(agent.heartbeat_age_seconds)} ago`);
  return el("span", { class: "hint", title: "Agents on the modular platform send none unless they ask for it." }, "none sent");
}

const HISTORIAN_COLUMNS = [["Historian"], ["Newest row", "num"], ["Backlog", "num"], ["Store", "num"]];

function historianTable(historians) {
  const rows = historians.map((one) => row(HISTORIAN_COLUMNS, [
    [visible(one.agent)],
    [one.newest_row_age_seconds === null ? "–" : `${duration(one.newest_row_age_seconds)} ago`],
    [one.backlog_records === null ? "–" : `${count(one.backlog_records)} rows`, one.backlog_bytes ? el("span", { class: "sub" }, bytes(one.backlog_bytes)) : null],
    [bytes(one.store_bytes)],
  ]));
  return table("historians-title", "Historians", HISTORIAN_COLUMNS, rows, "No historian is known.");
}

const DEVICE_COLUMNS = [["Device"], ["Freshness"], ["Interval", "num"], ["Updates", "num"]];

function deviceTable(devices) {
  const rows = devices.map((one) => row(DEVICE_COLUMNS, [
    [visible(one.device)], [freshness(one)], [duration(one.interval_seconds)], [count(one.updates)],
  ]));
  return table("devices-title", "Devices", DEVICE_COLUMNS, rows, "No device is known.");
}

function freshness({ last_update_age_seconds: age, interval_seconds: interval }) {
  if (age === null) return mark("unknown", "nothing seen");
  const late = interval !== null && age > 3 * interval;
  return mark(late ? "warning" : "good", `${late ? "late: " : ""}${duration(age)} ago`);
}
