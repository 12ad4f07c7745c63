// Who did what, why and from where; also what was refused.

import { get, query } from "/static/js/api.js";
import { el, refill } from "/static/js/dom.js";
import { moment, visible } from "/static/js/format.js";
import { table, row } from "/static/js/tables.js";
import { paged } from "/static/js/alerts-pages.js";

const COLUMNS = [["When", ""], ["Who", ""], ["From", ""], ["Did", ""], ["What", ""], ["Why", ""], ["Outcome", ""]];
const PAGE = 100;

/** What it was done to: the alert, the labels or the site asked for, else the id of what was ended. */
function what({ subject, detail }) {
  if (detail.alert) return el("a", { href: `/alerts${query({ alert: detail.alert })}`, "data-route": true, dataset: { key: `what-${subject}` } }, visible(detail.alert));
  return el("span", { class: "alert-words" }, visible(detail.matchers?.join(" ") ?? [detail.site, detail.instance].filter(Boolean).join(" / ")) || visible(subject ?? "–"));
}

export function auditView({ signal }) {
  const place = el("div", {});
  const node = el("div", { class: "alerts-view" }, el("section", { class: "panel" }, place));
  const line = (one) => row(COLUMNS, [moment(one.at).short, visible(one.by), visible(one.from), visible(one.action), what(one), visible(one.why ?? "–"), visible(one.outcome)]);

  const read = paged(
    async (before) => {
      const { lines, next } = await get(`/api/alerts/audit${query({ limit: PAGE, before })}`, signal);
      return { items: lines, next };
    },
    (all, more) => refill(place, table("audit-title", "Who did what", COLUMNS, all.map(line), "Nobody has done anything yet."), more),
  );
  return { node, read, every: 15_000 };
}
