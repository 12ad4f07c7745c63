// One agent: what it is now, how it went over time, what happened to it, and where else it is to be seen.

import { get, query } from "/static/js/api.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { agentErrors } from "/static/js/agent-errors.js";
import { agentEvents } from "/static/js/agent-events.js";
import { factTiles } from "/static/js/agent-facts.js";
import { agentLinks, agentPage } from "/static/js/agent-links.js";
import { agentPlots } from "/static/js/agent-plots.js";
import { SPANS, fixed, narrowed, rangeForm, rangeOf, widened } from "/static/js/agent-range.js";
import { field, select } from "/static/js/flamegraphs-pictures.js";
import { duration, visible } from "/static/js/format.js";
import { library } from "/static/js/plot.js";
import { urgency } from "/static/js/states.js";

export const title = "Agent";

const LEAST_EVERY_MS = 15_000;
const EVERY_OF_SPAN = 240; // a plot as wide as a screen changes by a few points from one look to the next

export function mount(root, { session, parameters, go }) {
  const stop = new AbortController();
  const { signal } = stop;
  const agent = parameters.get("agent");
  // of another platform that this Prometheus knows: its figures are here, its logs and captures are not
  const other = parameters.get("instance") ? { site: parameters.get("site"), instance: parameters.get("instance") } : null;
  const own = !other || (other.site === session.site && other.instance === session.instance);
  let range = rangeOf(parameters);
  const form = rangeForm(range, show);
  const chooser = el("div", { class: "agent-choice" });
  const links = el("div", { class: "links agent-links", role: "group", "aria-label": "The same agent elsewhere" });
  const tiles = el("section", { class: "tiles", "aria-label": "Now" });
  const troubles = el("div", { "aria-live": "polite" });
  const fresh = el("p", { class: "hint fresh", role: "status" }, "Loading…");
  const place = el("div", { class: "plots-place" });
  const alertsOf = session.alertd ? { agent, site: other?.site ?? session.site, instance: other?.instance ?? session.instance } : null;
  const events = agentEvents(agent, { own, alertsOf });
  const errors = agentErrors(go);
  const whose = own ? "" : ` on ${visible([other.site, other.instance].filter(Boolean).join(" / "))}`;
  root.append(
    el("div", { class: "agent-head" }, el("h1", {}, agent ? visible(agent) + whose : "Agent"), links),
    el("section", { class: "panel agent-tools", "aria-label": "Agent and time" }, chooser, form.node),
    troubles, tiles, place, events.node, own ? errors.node : "", fresh,
  );
  let plots = null;
  let timer;
  let asked = null;

  /** Another time, which the browser's Back leads from. */
  function show(next) {
    range = next;
    form.set(range);
    history.pushState(null, "", agentPage(agent, { ...range, ...other }));
    load();
  }

  async function load() {
    clearTimeout(timer);
    asked?.abort();
    asked = new AbortController();
    const mine = AbortSignal.any([signal, asked.signal]);
    const span = fixed(range);
    try {
      const [found, known] = await Promise.all([get(`/api/agent/series${query({ agent, ...range, ...other })}`, mine), own ? aside(mine) : { targets: [], captures: [] }]);
      const captures = known.captures.filter((one) => one.agent === agent && one.state === "done");
      const pid = known.targets.find((one) => one.agent === agent)?.pid ?? null;
      refill(troubles, ...problems(found));
      refill(links, own ? agentLinks({ agent, span, facts: found.facts, session }) : []);
      refill(tiles, ...factTiles(found.facts, pid, found.alerts));
      events.update(found, captures);
      plots.update(found);
      fresh.textContent = `A value each ${duration(found.step)}${range.until ? "." : `, read again every ${duration(every() / 1000)}.`}`;
    } catch (error) {
      if (error.name === "AbortError") return;
      refill(troubles, notice(error));
      refill(links, own ? agentLinks({ agent, span, facts: null, session }) : []);
      fresh.textContent = "Not up to date.";
    }
    if (own) await errors.load(agent, span, mine);
    if (!range.until && !document.hidden && !mine.aborted) timer = setTimeout(load, every());
  }

  const every = () => Math.max(LEAST_EVERY_MS, (SPANS.find(([value]) => value === range.since)[2] * 1000) / EVERY_OF_SPAN);

  /** What the profiler knows, which may be away alone. */
  async function aside(mine) {
    const [targets, captures] = await Promise.allSettled([get("/api/targets", mine), get("/api/captures", mine)]);
    return { targets: targets.value?.targets ?? [], captures: captures.value?.captures ?? [] };
  }

  function problems({ prometheus, facts }) {
    const found = [];
    if (prometheus.error) found.push(notice({ ...prometheus.error, message: `${prometheus.error.message} There are no plots; what is known now is the exporter's.` }));
    else if (!facts || (facts.state === null && facts.started === null && facts.version === null)) {
      found.push(notice({ message: `No agent ${visible(agent)} is known at this moment.`, remedy: "It may have been removed: choose another time to see what it was." }, "warning"));
    }
    return found;
  }

  async function choose() {
    try {
      const { agents } = await get(own ? "/api/overview" : `/api/fleet/instance${query(other)}`, signal);
      const names = [...agents].sort((a, b) => urgency(a.state) - urgency(b.state) || a.agent.localeCompare(b.agent)).map((one) => one.agent);
      if (!agent && names.length) return go(agentPage(names[0], { ...range, ...other }), { replace: true });
      const there = [...new Set([agent, ...names].filter(Boolean))].sort();
      const chosen = select("agent", there.map((name) => [name, visible(name)]), agent);
      chosen.addEventListener("change", () => go(agentPage(chosen.value, { ...range, ...other })));
      refill(chooser, field("agent", "Agent", chosen));
      if (!agent) refill(troubles, mark("unknown", "No agent is known."));
    } catch (error) {
      if (error.name !== "AbortError" && !agent) refill(troubles, notice(error));
    }
  }

  async function begin() {
    choose();
    if (!agent) return;
    const absent = session.uplot.available ? null : session.uplot.reason;
    const Plot = absent ? null : await library().catch(() => null);
    if (signal.aborted) return;
    plots = agentPlots(Plot, { zoom: (since, until) => show(narrowed(since, until)), wider: () => show(widened(range)), marks: events.marks });
    refill(place, Plot ? null : notice({ message: "The plots cannot be drawn: their figures stand below.", remedy: absent }, "warning"), plots.node);
    load();
  }

  const onVisible = () => document.hidden || (plots && !range.until && load());
  document.addEventListener("visibilitychange", onVisible);
  begin();
  return () => {
    stop.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
    plots?.close();
  };
}
