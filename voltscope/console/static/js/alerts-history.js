// What was: occurrences of alerts, the newest first, and the one that is open.

import { get, query } from "/static/js/api.js";
import { el, refill } from "/static/js/dom.js";
import { count, duration, moment, visible } from "/static/js/format.js";
import { table, row } from "/static/js/tables.js";
import { alertDetail } from "/static/js/alerts-detail.js";
import { about, beginning, field, severityMark, spans } from "/static/js/alerts-parts.js";

const COLUMNS = [["Alert", ""], ["How bad", ""], ["Began", ""], ["Lasted", "num"], ["About", ""], ["Told", "num"], ["In hand of", ""]];
const PAGE = 50;

export function historyView({ session, parameters, signal, go }) {
  const asked = Object.fromEntries(["name", "agent", "instance", "site"].map((name) => [name, parameters.get(name) ?? ""]));
  const span = parameters.get("since") ?? "24h";
  const opened = parameters.get("occurrence");
  const address = (more) => `/alerts${query({ view: "history", ...asked, since: span, ...more })}`;
  const detail = alertDetail({ session, close: address({}), changed: () => read() });
  const name = el("input", { type: "search", autocomplete: "off", placeholder: "VolttronAgentCrashed", "data-search": true });
  const agent = el("input", { type: "search", autocomplete: "off", placeholder: "platform.historian" });
  const form = el("form", { class: "filters" }, field("past-name", "Alert", name, "field wide"), field("past-agent", "Agent", agent), el("div", { class: "field buttons" }, el("button", { type: "submit" }, "Show")), spans(span, (key) => go(address({ since: key }))));
  const place = el("div", {});
  const node = el("div", { class: "alerts-view" }, detail.node, el("section", { class: "panel" }, form, place));
  [name.value, agent.value] = [asked.name, asked.agent];
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(address({ name: name.value.trim(), agent: agent.value.trim() }));
  });
  let older = []; // pages that were asked for below the first
  let next = null;

  function draw(first) {
    const seen = new Set();
    const all = [...first, ...older].filter(({ id }) => !seen.has(id) && seen.add(id));
    const more = next ? el("p", { class: "below-records" }, el("button", { type: "button", dataset: { key: "older" }, on: { click: turn } }, "Older ones")) : null;
    refill(place, table("past-title", `What was: ${count(all.length)}${next ? " and more" : ""}`, COLUMNS, all.map(line), "No alert in this time."), more);

    async function turn() {
      const page = await get(asking({ before: next }), signal);
      older = [...older, ...page.occurrences];
      next = page.next;
      draw(first);
    }
  }

  const asking = (more) => `/api/alerts/history${query({ ...asked, since: beginning(span), limit: PAGE, ...more })}`;

  function line(one) {
    const made = row(COLUMNS, [
      el("a", { class: "identity", href: address({ occurrence: one.id }), "data-route": true, dataset: { key: one.id } }, visible(one.name)),
      severityMark(one.severity), moment(one.started).short, one.ended ? duration(one.ended - one.started) : "goes on",
      about(one.labels), count(one.notified.length), one.acknowledged ? visible(one.acknowledged.by) : "–",
    ]);
    if (one.id === opened) made.classList.add("current");
    return made;
  }

  async function read() {
    const page = await get(asking({}), signal);
    if (!older.length) next = page.next;
    draw(page.occurrences);
    if (opened && detail.opened() !== opened) detail.show(await get(`/api/alerts/history/${opened}`, signal), signal);
  }
  return { node, read, every: 15_000 };
}
