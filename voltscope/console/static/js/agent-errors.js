// The newest errors and warnings that an agent logged in the time shown.

import { get, query } from "/static/js/api.js";
import { el, notice, refill } from "/static/js/dom.js";
import { record } from "/static/js/logs-records.js";

const SHOWN = 8;

/** `load(agent, span, signal)` reads and draws; `go(address)`: to a search. */
export function agentErrors(go) {
  const list = el("div", {});
  const node = el("section", { class: "panel agent-errors", "aria-labelledby": "errors-title" }, el("h2", { id: "errors-title" }, "Newest warnings and errors in its log"), list);

  return {
    node,
    async load(agent, { since, until }, signal) {
      const asked = { agent, level: "warning", since, until };
      const all = el("a", { href: `/logs${query(asked)}`, "data-route": true, dataset: { key: "all-errors" } }, "All of them in Logs");
      // what a record leads to is a search of its own, at the same time
      const tools = { filter: (part) => go(`/logs${query({ q: part, since, until })}`), metrics: () => null };
      try {
        const { records } = await get(`/api/logs${query({ ...asked, limit: SHOWN })}`, signal);
        refill(list, records.length === 0 ? el("p", { class: "hint" }, "None in this time.")
          : [el("ol", { class: "records", "aria-label": "Log records, newest first" }, records.map((one) => record(one, tools))), el("p", { class: "below-records" }, all)]);
      } catch (error) {
        if (error.name !== "AbortError") refill(list, notice(error));
      }
    },
  };
}
