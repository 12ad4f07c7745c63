// What was: occurrences of alerts, the newest first, and the one that is open.

import { get, query } from "/static/js/api.js";
import { el, refill } from "/static/js/dom.js";
import { count, duration, moment, visible } from "/static/js/format.js";
import { table, row } from "/static/js/tables.js";
import { alertDetail } from "/static/js/alerts-detail.js";
import { paged } from "/static/js/alerts-pages.js";
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
  const list = paged(
    async (before) => {
      const { occurrences, next } = await get(`/api/alerts/history${query({ ...asked, since: beginning(span), limit: PAGE, before })}`, signal);
      return { items: occurrences, next };
    },
    (all, more) => refill(place, table("past-title", `What was: ${count(all.length)}${more ? " and more" : ""}`, COLUMNS, all.map(line), "No alert in this time."), more),
  );

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
    await list();
    if (opened && detail.opened() !== opened) detail.show(await get(`/api/alerts/history/${opened}`, signal), signal);
  }
  return { node, read, every: 15_000 };
}
