// A thread dump as it came: each thread with its state and frames, innermost first.

import { el, mark } from "/static/js/dom.js";
import { count, moment, visible } from "/static/js/format.js";

const FEW = 4; // threads that are shown open, as those are that run

/** What stands in the viewer. */
export function threadDump(dump) {
  const at = moment(Date.parse(dump.taken) / 1000);
  return [
    el("div", { class: "viewer-head" },
      el("h2", {}, `Threads of ${visible(dump.agent)}`),
      el("span", { class: "hint" }, `pid ${dump.pid} · ${at.short} · ${count(dump.threads.length)} thread${dump.threads.length === 1 ? "" : "s"}`)),
    ...dump.threads.map((one) => thread(one, dump.threads.length <= FEW)),
    el("p", { class: "hint" }, `${dump.note}${dump.left_out ? ` ${count(dump.left_out)} threads or frames were left out.` : ""}`),
  ];
}

function thread(one, open) {
  const [kind, word] = one.in_hub ? ["stopped", "in gevent's loop"] : one.state === "running" ? ["good", "running"] : ["unknown", "waiting"];
  const frames = one.frames.map((frame) =>
    el("li", {}, el("span", { class: "function" }, visible(frame.function)), el("span", { class: "sub" }, visible(`${frame.file}${frame.line ? `:${frame.line}` : ""}`))));
  return el("details", { class: "thread", open: open || one.state === "running" },
    el("summary", {}, el("span", { class: "strong" }, visible(one.name ?? "without a name")), mark(kind, word),
      one.holds_gil ? mark("info", "holds the GIL") : null, el("span", { class: "hint" }, one.id ? `thread ${one.id}` : "")),
    frames.length ? el("ol", { class: "frames" }, frames) : el("p", { class: "hint" }, "No Python frames."));
}
