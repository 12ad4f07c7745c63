// Fleet: every platform that this Prometheus knows, the worst first, and the agents of the one that is looked at.

import { get, query } from "/static/js/api.js";
import { agentTable } from "/static/js/agents-table.js";
import { el, notice, refill } from "/static/js/dom.js";
import { count, visible } from "/static/js/format.js";
import { CONDITIONS, fleetTable, matches, sorted } from "/static/js/fleet-table.js";
import { refreshed } from "/static/js/refreshed.js";

export const title = "Fleet";

const EVERY_MS = 30_000;
const PAGE = 50; // rows: a thousand sparklines at once nobody looks at

export function mount(root, { session, parameters, go }) {
  const stop = new AbortController();
  const { signal } = stop;
  const chosen = parameters.get("instance") ? { site: parameters.get("site") ?? "", instance: parameters.get("instance") } : null;
  const looking = { q: parameters.get("q") ?? "", by: parameters.get("by") ?? "state", down: parameters.get("down") === "1", page: Math.max(1, Number(parameters.get("page")) || 1) };
  const search = el("input", { id: "fleet-filter", type: "search", placeholder: "Site, instance, version or state", autocomplete: "off", "data-search": true });
  const summary = el("section", { class: "tiles", "aria-label": "Platforms by state" });
  const troubles = el("div", { "aria-live": "polite" });
  const words = el("p", { class: "hint", role: "status" }, "Loading…");
  const place = el("div", {});
  const pager = el("div", { class: "pager", role: "group", "aria-label": "Pages of platforms" });
  const agents = el("section", { class: "panel", "aria-label": "Agents of the platform chosen" });
  const fresh = el("p", { class: "hint fresh" });
  root.append(
    el("h1", { class: "visually-hidden" }, "Fleet"), summary, troubles, agents,
    el("section", { class: "panel fleet", "aria-labelledby": "fleet-title" }, el("h2", { id: "fleet-title" }, "Platforms"),
      el("div", { class: "table-tools" }, el("label", { for: "fleet-filter" }, "Filter"), search, words), place, pager),
    fresh,
  );
  search.value = looking.q;
  let seen = null;

  /** Where a platform's row leads: this console's own overview, or its agents above the table. */
  const way = (one) => (one.site === session.site && one.instance === session.instance ? "/" : address({ site: one.site, instance: one.instance }));

  const alertsOf = ({ site, instance }) => (session.alertd ? `/alerts${query({ site, instance })}` : null);

  const address = (platform) => `/fleet${query({ q: looking.q, by: looking.by === "state" ? "" : looking.by, down: looking.down ? 1 : "", page: looking.page > 1 ? looking.page : "", ...platform })}`;

  function kept() {
    history.replaceState(null, "", address(chosen));
  }

  function draw() {
    if (!seen) return;
    const found = sorted(seen.instances.filter((one) => matches(one, looking.q)), looking.by, looking.down);
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    looking.page = Math.min(looking.page, pages);
    const first = (looking.page - 1) * PAGE;
    const shown = found.slice(first, first + PAGE);
    words.textContent = found.length === seen.instances.length ? `${count(found.length)} in all${pages > 1 ? `, ${first + 1} to ${first + shown.length} shown` : ""}.` : `${count(found.length)} of ${count(seen.instances.length)}${pages > 1 ? `, ${first + 1} to ${first + shown.length} shown` : ""}.`;
    refill(place, fleetTable(shown, { ...looking, spark: seen.spark, way, alertsOf, chosen, order }));
    const turn = (to, name) => el("button", { type: "button", class: "small", disabled: to < 1 || to > pages, dataset: { key: name }, on: { click: () => turned(to) } }, name);
    refill(pager, pages > 1 ? [turn(looking.page - 1, "Before"), el("span", { class: "hint" }, `Page ${looking.page} of ${pages}`), turn(looking.page + 1, "Next")] : []);
  }

  function turned(page) {
    looking.page = page;
    kept();
    draw();
  }

  function order(by) {
    [looking.down, looking.by] = [looking.by === by ? !looking.down : false, by];
    turned(1);
  }

  search.addEventListener("input", () => {
    looking.q = search.value;
    turned(1);
  });

  function tiles() {
    const states = new Map();
    for (const { state } of seen.instances) states.set(state, (states.get(state) ?? 0) + 1);
    return Object.entries(CONDITIONS).map(([state, [, word]]) => el("div", { class: `tile${states.get(state) ? "" : " none"}` },
      el("span", { class: "label" }, word), el("span", { class: "value" }, count(states.get(state) ?? 0))));
  }

  async function read() {
    const [fleet, platform] = await Promise.all([get("/api/fleet", signal), chosen ? get(`/api/fleet/instance${query(chosen)}`, signal) : null]);
    seen = fleet;
    refill(troubles, fleet.prometheus.error ? notice(fleet.prometheus.error) : null, platform?.prometheus.error && !fleet.prometheus.error ? notice(platform.prometheus.error, "warning") : null);
    refill(summary, tiles());
    refill(agents, ...(platform ? around(platform) : []));
    draw();
    return fleet.at * 1000;
  }

  function around(platform) {
    const [head, ...rest] = agentTable(platform.agents, { may_capture: false, platform: chosen });
    head.textContent = `Agents of ${visible([chosen.site, chosen.instance].filter(Boolean).join(" / "))}`;
    return [el("div", { class: "panel-head" }, head, el("a", { href: address({}), "data-route": true, dataset: { key: "close-platform" } }, "Close")), ...rest];
  }
  agents.addEventListener("keydown", (event) => event.key === "Escape" && chosen && go(address({})));

  return refreshed(read, EVERY_MS, { stop, troubles, fresh });
}
