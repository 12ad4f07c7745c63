// Logs: search, narrow down, look closer, page back, and follow what arrives.

import { get, query } from "/static/js/api.js";
import { el, notice, refill } from "/static/js/dom.js";
import { around, grafana, kibana } from "/static/js/elsewhere.js";
import { count, visible } from "/static/js/format.js";
import { facets } from "/static/js/logs-facets.js";
import { searchForm } from "/static/js/logs-form.js";
import { histogram } from "/static/js/logs-histogram.js";
import { menus } from "/static/js/logs-menus.js";
import { changes, patterns, tabs } from "/static/js/logs-patterns.js";
import { added, has, removed } from "/static/js/logs-query.js";
import { record } from "/static/js/logs-records.js";
import { tail } from "/static/js/logs-tail.js";

export const title = "Logs";

const PAGE = 100;
const MOST_ROWS = 1000;
const COUNT_AGAIN_MS = 30_000;
const VIEWS = ["records", "patterns", "changes"];
const now = () => Date.now() / 1000;

export function mount(root, { session, parameters }) {
  const form = searchForm(parameters);
  const status = el("p", { class: "hint found", role: "status" });
  const trouble = el("div", {});
  const list = el("ol", { class: "records", "aria-label": "Log records, newest first" });
  const older = el("button", { type: "button", hidden: true, on: { click: () => load({ more: true }) } }, "Older records");
  const wider = el("button", { type: "button", class: "small", hidden: true, on: { click: zoomOut } }, "Zoom out");
  const timeline = histogram({ zoom });
  const narrow = facets({ isOn: (part) => has(form.q.value, part), toggle: filter });
  const tools = { filter, metrics: (record) => metrics(session, record), documents: ({ timestamp, event_id: event }) => kibana(session, "logs", { ...around(timestamp), event }) };
  const following = tail({ show: arrive, trouble: (error) => refill(trouble, notice(error)), state: tell });
  const show = (words, since, until) => {
    form.q.value = words;
    form.range(since, until);
    turn("records");
  };
  let view = VIEWS.includes(parameters.get("view")) ? parameters.get("view") : "records";
  let compared = { at: Number(parameters.get("at")) || Number(parameters.get("since")) || Math.floor(now() / 60 - 30) * 60, window: parameters.get("window") ?? "30m" };
  const grouped = patterns({ show });
  const different = changes({ show, at: compared.at, length: compared.window, chosen: (at, window) => {
    compared = { at, window };
    search({ push: true });
  } });
  const found = el("div", { class: "results" }, status, list, el("p", { class: "centre" }, older));
  const looks = tabs([["records", "Records", found], ["patterns", "Patterns", grouped.node], ["changes", "What changed", different.node]], view, turn);
  form.menus.append(...menus({ session, values: form.values, absolute, take: (saved) => { form.take(saved); search({ push: true }); } }));
  const beside = el("div", { class: "beside" }, narrow.node, el("section", { class: "results", "aria-label": "Found" }, el("div", { class: "over" }, looks.node, wider), found, grouped.node, different.node));
  root.append(el("h1", { class: "visually-hidden" }, "Logs"), form.node, trouble, timeline.node, beside);

  let stop = new AbortController();
  let before = null;
  let remark = null;
  let seen = { since: null, until: null };
  let total = null;
  let again = 0;
  let agents = null;

  form.agents([]);
  form.node.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  for (const select of form.selects) select.addEventListener("change", () => search());
  form.live.addEventListener("click", () => {
    form.setLive(!form.isLive());
    if (form.isLive()) view = "records";
    search();
  });

  function turn(name) {
    // who has zoomed to a moment wants to know what changed there
    if (name === "changes" && view !== name && form.isCustom() && seen.since !== null) compared.at = different.set(seen.since);
    view = name;
    if (view !== "records") form.setLive(false);
    search({ push: true });
  }

  function zoom(since, until) {
    form.range(since, until);
    search({ push: true });
  }

  function zoomOut() {
    const until = seen.until ?? now();
    const half = Math.max(1, (until - seen.since) / 2);
    zoom(seen.since - half, Math.min(until + half, Math.max(until, now())));
  }

  function filter(part) {
    form.q.value = has(form.q.value, part) ? removed(form.q.value, part) : added(form.q.value, part);
    search({ push: true });
  }

  /** What the address has beside the search itself. */
  const looking = () => (view === "records" ? {} : view === "changes" ? { view, ...compared } : { view });

  /** The search with its times fixed, as others must have it to find the same. */
  function absolute() {
    const asked = form.values();
    return { ...asked, since: seen.since ?? asked.since, until: seen.until ?? "", ...looking() };
  }

  function search({ push = false } = {}) {
    const address = `/logs${query({ ...form.values(), ...looking(), live: form.isLive() ? 1 : "" })}`;
    if (address !== location.pathname + location.search) history[push ? "pushState" : "replaceState"](null, "", address);
    load();
  }

  async function load({ more = false } = {}) {
    stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    if (!more) {
      following.close();
      clearTimeout(again);
      total = null;
      looks.turn(view);
      wider.hidden = true;
    }
    const asked = form.wanted();
    older.disabled = true;
    try {
      if (view === "records") await page(asked, more, signal);
      else await (view === "patterns" ? grouped : different).load(asked, signal);
      refill(trouble);
      form.fault(null);
      beside.hidden = false;
      if (more) return;
      wider.hidden = !form.isCustom() || seen.since === null;
      await counts(asked, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      refill(trouble, notice(error));
      form.fault(error.position ?? null);
      timeline.node.hidden = beside.hidden = true; // what they show belongs to another search
    } finally {
      if (!signal.aborted) older.disabled = false;
    }
  }

  async function page(asked, more, signal) {
    if (!more) tell("Searching…");
    const answer = await get(`/api/logs${query({ ...asked, limit: PAGE, before: more ? before : "" })}`, signal);
    if (!more) {
      list.replaceChildren();
      seen = { since: answer.since, until: answer.until ?? (form.isLive() ? null : now()) };
    }
    list.append(...answer.records.map((one) => record(one, tools)));
    [before, remark] = [answer.before, answer.remark];
    older.hidden = before === null;
    tell();
    if (!more && form.isLive()) following.follow({ q: asked.q, agent: asked.agent, level: asked.level }, answer.newest);
  }

  /** What may take a moment: it comes after the first page and never holds it up. */
  async function counts(asked, signal) {
    const began = performance.now();
    total = await narrow.load(asked, signal);
    tell();
    await timeline.load(asked, signal);
    if (!agents) form.agents((agents = await get("/api/logs/agents", signal)).agents);
    const took = performance.now() - began;
    if (form.isLive()) again = setTimeout(() => counts(asked, signal).catch(() => {}), Math.max(COUNT_AGAIN_MS, 20 * took));
  }

  function tell(words = "") {
    const rows = list.childElementCount;
    let text = rows === 0 ? "No records match." : `${count(rows)}${older.hidden ? "" : " or more"} ${rows === 1 ? "record" : "records"}, newest first.`;
    if (rows > 0 && total !== null && !older.hidden) text = `The newest ${count(rows)} of ${total.complete ? "" : "at least "}${count(total.total)} records.`;
    if (rows === 0 && remark) text += ` ${visible(remark)}`;
    else if (rows === 0 && !form.isLive()) text += " Try a longer time or fewer words.";
    status.textContent = words || (form.isLive() ? `${text} Following…` : text);
  }

  /** Puts what arrived on top. */
  function arrive(arrived) {
    list.prepend(...arrived.slice(-MOST_ROWS).reverse().map((one) => {
      const row = record(one, tools);
      row.classList.add("new");
      return row;
    }));
    while (list.childElementCount > MOST_ROWS) {
      list.lastElementChild.remove();
      before = list.lastElementChild.dataset.id;
      older.hidden = false;
    }
    tell();
  }

  load();
  return () => {
    stop.abort();
    following.close();
    clearTimeout(again);
    timeline.stop();
  };
}

/** Where the figures of a record's agent are: Grafana's, else the expression browser of Prometheus. */
function metrics(session, { agent, timestamp }) {
  const { links } = session;
  if (links.grafana) return grafana(session, "agent", { agent, ...around(timestamp) });
  if (!links.prometheus) return null;
  const expression = `rate(volttron_process_cpu_seconds_total{agent=${JSON.stringify(agent)}}[5m])`;
  return `${links.prometheus.replace(/\/$/, "")}/graph${query({ "g0.expr": expression, "g0.tab": 0, "g0.range_input": "6h" })}`;
}
