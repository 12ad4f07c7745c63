// The functions of a profile as a table: own share, share in all, and a search.

import { el } from "/static/js/dom.js";
import { bytes, count, visible } from "/static/js/format.js";
import { percent, select, to } from "/static/js/flamegraphs-pictures.js";
import { query } from "/static/js/api.js";

const SHOWN = 25;

/** A section for a profile in the format json; `agent` is whose logs are linked, when it is one agent. */
export function functionsPanel(profile, agent) {
  const search = el("input", { id: "function-search", type: "search", placeholder: "Name or file", autocomplete: "off" });
  const order = select("function-order", [["self", "Self"], ["total", "Total"]], "self");
  const body = el("tbody", {});
  const more = el("button", { type: "button", class: "quiet" });
  const note = el("p", { class: "hint", role: "status" });
  let all = false;

  function draw() {
    const wanted = search.value.trim().toLowerCase();
    const found = profile.functions
      .filter((one) => !wanted || `${one.function} ${one.file ?? ""}`.toLowerCase().includes(wanted))
      .sort((one, other) => other[order.value] - one[order.value]);
    const shown = all ? found : found.slice(0, SHOWN);
    body.replaceChildren(...shown.map((one) => row(one, profile.unit)));
    more.hidden = shown.length === found.length;
    more.textContent = `Show all ${count(found.length)}`;
    const left = profile.functions_left_out ? ` ${count(profile.functions_left_out)} with fewer samples are left out.` : "";
    note.textContent = found.length === 0 ? (wanted ? "No function is called so." : "No function was seen.") : left;
  }
  search.addEventListener("input", draw);
  order.addEventListener("change", draw);
  more.addEventListener("click", () => { all = true; draw(); });
  draw();
  const unit = profile.unit === "bytes" ? "Bytes" : "Samples";
  return el("section", { class: "panel functions" },
    el("h2", { id: "functions-title" }, "Top functions"),
    el("div", { class: "table-tools" },
      el("label", { for: "function-search" }, "Search"), search,
      el("label", { for: "function-order" }, "Order by"), order,
      agent ? to(`/logs${query({ agent })}`, `Logs of ${visible(agent)}`) : null),
    el("table", { "aria-labelledby": "functions-title" },
      el("thead", {}, el("tr", {}, ["Function", "Self", "Total", unit].map((name, at) => el("th", { scope: "col", class: at ? "num" : null }, name)))),
      body),
    more, note);
}

function row(one, unit) {
  const where = one.file ? `${one.file}${one.line ? `:${one.line}` : ""}` : "";
  const amount = (value) => (unit === "bytes" ? bytes(value) : count(value));
  return el("tr", {},
    el("th", { scope: "row" }, el("span", { class: "function" }, visible(one.function)), where ? el("span", { class: "sub" }, visible(where)) : null),
    el("td", { class: "num", dataset: { label: "Self" } }, share(one.self_share)),
    el("td", { class: "num", dataset: { label: "Total" } }, share(one.total_share)),
    el("td", { class: "num", dataset: { label: unit } }, amount(one.self)));
}

/** A share as a number and a bar. */
function share(value) {
  return el("span", { class: "share" }, el("meter", { min: 0, max: 1, value, "aria-hidden": "true" }), el("span", {}, percent(value)));
}
