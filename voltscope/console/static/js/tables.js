// Tables that become cards on a phone: every cell carries its column's name.

import { el } from "/static/js/dom.js";

/** The cells above columns of `[name, class]`; one without a name, of links or buttons, has it for the ear alone. */
export const heads = (columns) => columns.map(([name, kind]) =>
  el("th", { scope: "col", class: kind }, name || el("span", { class: "visually-hidden" }, "What to do")));

/** A heading and a table below it; `columns`: [name, class]. `empty` is said where there is no row. */
export function table(id, caption, columns, rows, empty) {
  const head = el("h2", { id }, caption);
  if (rows.length === 0) return [head, el("p", { class: "hint" }, empty)];
  return [
    head,
    el("table", { "aria-labelledby": id }, el("thead", {}, el("tr", {}, heads(columns))), el("tbody", {}, rows)),
  ];
}

/** A row whose cells carry their column's name, which is shown on narrow screens. */
export function row(columns, cells) {
  return el("tr", {}, cells.map((content, index) => {
    const [name, kind] = columns[index];
    const first = index === 0;
    return el(first ? "th" : "td", { class: kind, scope: first ? "row" : null, dataset: { label: name } }, content);
  }));
}
