// A list that is read from its newest end again and again, and grows below by a page whenever somebody asks for it.

import { el } from "/static/js/dom.js";

/** `load(before)` answers `{ items, next }`, before the id given or the newest; `draw(items, more)` shows them all, `more` is the way to the next page, null at the end. The function answered reads. */
export function paged(load, draw) {
  let newest = [];
  let older = []; // pages that were asked for below the first
  let next = null;

  function show() {
    const seen = new Set();
    const all = [...newest, ...older].filter(({ id }) => !seen.has(id) && seen.add(id));
    draw(all, next ? el("p", { class: "below-records" }, el("button", { type: "button", dataset: { key: "older" }, on: { click: turn } }, "Older ones")) : null);
  }

  async function turn() {
    const page = await load(next);
    older = [...older, ...page.items];
    next = page.next;
    show();
  }

  return async () => {
    const page = await load(null);
    newest = page.items;
    if (!older.length) next = page.next;
    show();
  };
}
