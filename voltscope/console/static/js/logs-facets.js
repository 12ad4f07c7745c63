// The commonest values of agent, level, logger and error: a click looks at one alone, or leaves it out.

import { get, query } from "/static/js/api.js";
import { el, refill } from "/static/js/dom.js";
import { count, visible } from "/static/js/format.js";
import { clause } from "/static/js/logs-query.js";

const TITLES = { agent: "Agent", level: "Level", logger: "Logger", error: "Error" };

/** `toggle(part)` puts a filter into the query or takes it out; `isOn(part)` tells whether it is there. */
export function facets({ toggle, isOn }) {
  const lists = el("div", { class: "facet-lists" });
  const node = el("details", { class: "panel facets" }, el("summary", {}, "Narrow down"), lists);
  node.open = !matchMedia("(max-width: 760px)").matches;

  function one({ field, values, others }) {
    if (values.length === 0) return null;
    const most = values[0][1];
    return el(
      "section", { "aria-label": TITLES[field] ?? field },
      el("h2", {}, TITLES[field] ?? field),
      el("ul", {}, values.map(([value, number]) => row(field, String(value), number, number / most))),
      others ? el("p", { class: "hint" }, `${count(others)} with others`) : null,
    );
  }

  function row(field, value, number, share) {
    const only = clause(field, value);
    const without = `not ${only}`;
    const bar = el("span", { class: field === "level" ? `share of-${value}` : "share", "aria-hidden": "true" });
    bar.style.width = `${Math.max(1, share * 100).toFixed(1)}%`;
    return el(
      "li", {},
      el(
        "button",
        { type: "button", class: "facet", title: visible(value), "aria-pressed": String(isOn(only)), dataset: { key: `only ${only}` }, on: { click: () => toggle(only) } },
        bar, el("span", { class: "value" }, visible(value)), el("span", { class: "num" }, count(number)),
      ),
      el("button", { type: "button", class: "without", "aria-pressed": String(isOn(without)), "aria-label": `Without ${field} ${visible(value)}`, title: "Leave these out", dataset: { key: without }, on: { click: () => toggle(without) } }, "–"),
    );
  }

  return {
    node,
    /** The number of records there are, and whether all were counted. */
    async load(wanted, signal) {
      const found = await get(`/api/logs/facets${query(wanted)}`, signal);
      refill(lists, found.facets.map(one));
      return found;
    },
  };
}
