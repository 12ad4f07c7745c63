// Every page there is, in the order of the navigation: what draws it, its name, the key that follows `g`, and whether it
// has anything of other platforms than the console's own.
// The server names the paths once more, in app.py.

import * as agent from "/static/js/agent.js";
import * as alerts from "/static/js/alerts.js";
import * as fleet from "/static/js/fleet.js";
import * as flamegraphs from "/static/js/flamegraphs.js";
import * as live from "/static/js/live.js";
import * as logs from "/static/js/logs.js";
import * as overview from "/static/js/overview.js";

export const PAGES = [
  { path: "/", name: "Overview", key: "o", page: overview },
  { path: "/agent", name: "Agent", key: "a", page: agent, others: true },
  { path: "/logs", name: "Logs", key: "l", page: logs },
  { path: "/flamegraphs", name: "Flamegraphs", key: "f", page: flamegraphs },
  { path: "/live", name: "Live", key: "v", page: live },
  { path: "/alerts", name: "Alerts", key: "w", page: alerts, others: true },
  { path: "/fleet", name: "Fleet", key: "s", page: fleet, others: true },
];

/** The page at a path; the first where there is none. */
export const pageAt = (path) => PAGES.find((one) => one.path === path) ?? PAGES[0];
