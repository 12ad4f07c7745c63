// The source behind a name: the lines around it, the one in question marked.

import { get, query } from "/static/js/api.js";
import { el, notice, refill } from "/static/js/dom.js";
import { visible } from "/static/js/format.js";
import { brief, whole } from "/static/js/live-places.js";

const WIDEST = 2000; // characters of a line: what is longer was not written by people

/** `show(place)` draws into `node`; `of(id)` names the session whose code is asked for. */
export function sourcePanel(signal) {
  const node = el("section", { class: "panel source", "aria-label": "Source" });
  let session = null;
  let asked = 0;
  let from = null;
  node.hidden = true;

  function close() {
    asked += 1;
    node.hidden = true;
    node.replaceChildren();
    if (from?.isConnected) from.focus({ preventScroll: true });
  }
  node.addEventListener("keydown", (event) => event.key === "Escape" && close());

  async function show(place) {
    asked += 1;
    const mine = asked;
    if (!node.contains(document.activeElement)) from = document.activeElement;
    const head = el("div", { class: "source-head" },
      el("div", { role: "status" }, el("span", { class: "function strong" }, brief(place.function, 80)),
        el("span", { class: "sub", title: whole(place) }, `${brief(place.file, 160)}, line ${place.line}`)),
      el("button", { type: "button", class: "quiet", dataset: { key: "close-source" }, on: { click: close } }, "Close"));
    node.hidden = false;
    refill(node, head, el("p", { class: "hint" }, "Loading…"));
    try {
      if (!session) throw Object.assign(new Error("The source is shown by a session."), { remedy: "Press Start." });
      const found = await get(`/api/live/${session}/code${query({ file: place.file, line: place.line })}`, signal);
      if (mine !== asked) return;
      const lines = found.lines.map((text, index) => line(text, found.first + index, found.line));
      const code = el("div", { class: "code", tabindex: 0, role: "group", "aria-label": `Lines ${found.first} to ${found.first + lines.length - 1}, line ${found.line} marked` }, lines);
      refill(node, head, code);
      const here = code.querySelector(".here");
      if (here) code.scrollTop = here.offsetTop - code.offsetTop - code.clientHeight / 3;
    } catch (error) {
      if (error.name !== "AbortError" && mine === asked) refill(node, head, notice(error, "warning"));
    }
  }
  return {
    node, show, close,
    of(id) {
      session = id;
    },
  };
}

function line(text, number, marked) {
  const here = number === marked;
  return el("div", { class: here ? "here" : null, "aria-current": here ? "true" : null },
    el("span", { class: "number", "aria-hidden": "true" }, String(number)), el("code", {}, visible(text.slice(0, WIDEST)) || " "));
}
