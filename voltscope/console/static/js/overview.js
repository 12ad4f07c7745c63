// Overview: the platform, its agents, historians and devices, read again every ten seconds.

import { get, query } from "/static/js/api.js";
import { LINE_CPU, LINE_MEMORY, agentTable } from "/static/js/agents-table.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { bytes, count, duration, percent, visible } from "/static/js/format.js";
import { refreshed } from "/static/js/refreshed.js";
import { sparkline } from "/static/js/sparkline.js";
import { STATES, urgency } from "/static/js/states.js";
import { row, table } from "/static/js/tables.js";

export const title = "Overview";
const EVERY_MS = 10_000;

/** What a tile says of alerts in each state; firing ones first. */
const ALERTS = { firing: "bad", acknowledged: "good", silenced: "stopped", inhibited: "unknown" };

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

  async function read() {
    const [seen, alerts] = await Promise.all([get("/api/overview", stop.signal), session.alertd ? alerting() : null]);
    refill(troubles, ...problems(seen));
    refill(top, ...tiles(seen), alerts);
    refill(agents, ...agentTable(seen.agents, { may_capture: session.may_capture }));
    refill(historians, ...historianTable(seen.historians));
    refill(devices, ...deviceTable(seen.devices));
    return seen.at * 1000;
  }

  /** A tile that leads to the alerts of this site; alertd may be away alone. */
  async function alerting() {
    const found = await get(`/api/alerts${query({ site: session.site, limit: 1 })}`, stop.signal).catch(() => null);
    const there = Object.entries(ALERTS).filter(([state]) => found?.counts[state]).map(([state, kind]) => mark(kind, `${count(found.counts[state])} ${state}`));
    const said = !found?.alertmanager.reachable ? [mark("unknown", "unknown")] : there.length ? there : [mark("good", "none")];
    return tile("Alerts", el("a", { class: "marks", href: `/alerts${query({ site: session.site })}`, "data-route": true, dataset: { key: "alerts" } }, said));
  }

  return refreshed(read, EVERY_MS, { stop, troubles, fresh });
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
