// Every capture there is: filtered by agent, kind and reason, and two of them picked to be compared.

import { el, refill } from "/static/js/dom.js";
import { count, moment, visible } from "/static/js/format.js";
import { KIND_NAMES, page, result, select, to } from "/static/js/flamegraphs-pictures.js";
import { heads } from "/static/js/tables.js";

const COLUMNS = [["Agent"], ["Started"], ["Kind"], ["Seconds", "num"], ["Samples", "num"], ["Result"], ["Asked by"], ["Compare"], ["", "actions"]];
const FILTERS = [["of", "Agent", "agent"], ["of_kind", "Kind", "kind"], ["of_reason", "Reason", "reason"]];
const seconds = (capture) => String(Math.round(capture.duration_s * 10) / 10);

/** `fill(captures)` draws them into `node`. Filters are kept in the address. */
export function captureList(parameters, go) {
  const node = el("section", { class: "panel" }, el("h2", {}, "Captures"), el("p", { class: "hint" }, "Loading…"));
  const filters = Object.fromEntries(FILTERS.map(([name]) => [name, parameters.get(name) ?? ""]));
  const picked = new Set();
  let captures = [];

  function keepInAddress() {
    const address = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(filters)) value ? address.set(name, value) : address.delete(name);
    history.replaceState(null, "", page(Object.fromEntries(address)));
  }

  function draw() {
    const head = el("h2", { id: "captures-title" }, "Captures");
    if (captures.length === 0) return refill(node, head, el("p", { class: "hint" }, "None yet. Pick an agent above and capture."));
    const choosers = FILTERS.flatMap(([name, words, key]) => {
      const there = [...new Set([...captures.map((one) => one[key]), filters[name]].filter(Boolean))].sort();
      const chooser = select(name, [["", "Any"], ...there.map((value) => [value, visible(KIND_NAMES[value] ?? value)])], filters[name]);
      chooser.dataset.key = `filter-${name}`;
      chooser.addEventListener("change", () => {
        filters[name] = chooser.value;
        keepInAddress();
        draw();
      });
      return [el("label", { for: name }, words), chooser];
    });
    const shown = captures.filter((one) => FILTERS.every(([name, , key]) => !filters[name] || one[key] === filters[name]));
    const compare = el("button", { type: "button", dataset: { key: "compare" } }, "Compare the two picked");
    const pair = captures.filter(({ id }) => picked.has(id)).reverse(); // the list is newest first
    const alike = pair.length === 2 && pair[0].kind === pair[1].kind;
    compare.disabled = !alike;
    compare.addEventListener("click", () => go(page({ view: "compare", before: pair[0].id, after: pair[1].id })));
    const why = pair.length === 2 && !alike ? "Captures of different kinds cannot be compared." : pair.length > 2 ? "Pick two." : "";
    refill(node, head,
      el("div", { class: "table-tools" }, choosers, compare, el("span", { class: "hint", role: "status" }, why)),
      el("table", { "aria-labelledby": "captures-title" },
        el("thead", {}, el("tr", {}, heads(COLUMNS))),
        el("tbody", {}, shown.map(row))),
      shown.length === 0 ? el("p", { class: "hint" }, `None of ${count(captures.length)} is like that.`) : null);
  }

  function row(capture) {
    const at = moment(Date.parse(capture.started) / 1000);
    const done = capture.state === "done";
    const name = `${visible(capture.agent)}, ${at.short}`;
    const pick = done ? el("input", { type: "checkbox", "aria-label": `Pick ${name} to compare`, dataset: { key: `pick-${capture.id}` } }) : null;
    if (pick) {
      pick.checked = picked.has(capture.id);
      pick.addEventListener("change", () => {
        pick.checked ? picked.add(capture.id) : picked.delete(capture.id);
        draw();
      });
    }
    const view = { agent: capture.agent, id: capture.id, ...filters };
    const cells = [
      el("span", { class: "identity" }, visible(capture.agent)), at.short, KIND_NAMES[capture.kind] ?? visible(capture.kind),
      seconds(capture), count(capture.samples), result(capture),
      visible([capture.requested_by, capture.reason !== "on-demand" ? capture.reason : null].filter(Boolean).join(", ") || "–"),
      pick,
      done ? to(page(view), "View", { "aria-label": `View the flamegraph of ${name}`, dataset: { key: capture.id } }) : null,
    ];
    return el("tr", { class: capture.id === parameters.get("id") ? "current" : null }, cells.map((content, index) => {
      const [label, kind] = COLUMNS[index];
      return el(index === 0 ? "th" : "td", { class: kind, scope: index === 0 ? "row" : null, dataset: { label } }, content ?? "");
    }));
  }

  return {
    node,
    fill(found) {
      captures = found;
      draw();
    },
  };
}
