// What can be done with a search: take a saved one, save it, share it, carry its records away.

import { get, post, remove, query } from "/static/js/api.js";
import { el, notice, refill } from "/static/js/dom.js";
import { visible } from "/static/js/format.js";

/** A button that opens a small panel; Escape, and a click elsewhere, close it. */
function menu(name, fill) {
  const content = el("div", { class: "pop" });
  const node = el("details", { class: "menu" }, el("summary", {}, name), content);
  node.addEventListener("toggle", () => {
    if (node.open) fill(content, () => (node.open = false));
    else refill(content); // the next look is at what there is then
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    node.open = false;
    node.firstElementChild.focus();
  });
  node.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !node.contains(event.relatedTarget)) node.open = false;
  });
  return node;
}

/** `values()`: the search as the form has it; `absolute()`: with its times fixed; `take(saved)`: use one. */
export function menus({ session, values, absolute, take }) {
  const may = session.role === "operator";
  const said = el("span", { class: "hint said", role: "status" });

  const saved = menu("Saved", async (content, close) => {
    if (!content.childElementCount) refill(content, el("p", { class: "hint" }, "Loading…"));
    try {
      const { searches } = await get("/api/logs/searches");
      refill(content, list(searches, content, close), may ? saving(content, close) : el("p", { class: "hint" }, "Saving needs the role operator."));
    } catch (error) {
      refill(content, notice(error));
    }
  });

  function list(searches, content, close) {
    return el("ul", { class: "saved" }, searches.map((one) => el(
      "li", {},
      el("button", { type: "button", class: "pick", title: visible(one.query), on: { click: () => { close(); take(one); } } }, el("span", {}, visible(one.name)), el("span", { class: "sub" }, one.by ? `by ${visible(one.by)}` : "built in")),
      may && !one.built_in ? el("button", { type: "button", class: "quiet", "aria-label": `Delete ${visible(one.name)}`, on: { click: () => change(content, close, () => remove(`/api/logs/searches${query({ name: one.name })}`)) } }, "Delete") : null,
    )));
  }

  function saving(content, close) {
    const name = el("input", { id: "save-name", maxlength: 60, placeholder: "a name", autocomplete: "off" });
    const keep = () => change(content, close, () => {
      const { q, agent, level, since, until } = values();
      return post("/api/logs/searches", { name: name.value, query: q, agent, level, since: until || typeof since === "number" ? "" : since });
    });
    name.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // it stands inside the form of the search
      keep();
    });
    return el("div", { class: "saving" }, el("label", { for: "save-name" }, "Save this search as"), name, el("button", { type: "button", on: { click: keep } }, "Save"));
  }

  async function change(content, close, act) {
    content.querySelector(".notice")?.remove();
    try {
      await act();
      const { searches } = await get("/api/logs/searches");
      refill(content, list(searches, content, close), saving(content, close));
      content.querySelector("button")?.focus();
    } catch (error) {
      content.append(notice(error));
    }
  }

  const share = el("button", { type: "button", class: "share" }, "Copy link");
  const spare = el("input", { class: "link", readonly: true, hidden: true, "aria-label": "Link to this search" });
  share.addEventListener("click", async () => {
    const link = location.origin + `/logs${query(absolute())}`;
    try {
      await navigator.clipboard.writeText(link);
      said.textContent = "Copied: it finds the same records, at these times.";
    } catch { // browsers refuse beyond loopback without TLS
      spare.value = link;
      spare.hidden = false;
      spare.focus();
      spare.select();
      said.textContent = "Copy it from the field: the browser does not let us.";
    }
  });

  const exported = menu("Export", (content) => {
    const asked = absolute();
    const link = (format, text) => el("a", { href: `/api/logs/export${query({ ...asked, format })}`, download: "" }, text);
    refill(
      content, link("csv", "CSV, for spreadsheets"), link("ndjson", "NDJSON, Elastic Common Schema"),
      el("p", { class: "hint" }, "What the search finds, newest first; 100,000 records at most. Secrets are taken out already."),
    );
  });
  return [said, spare, saved, share, exported];
}
