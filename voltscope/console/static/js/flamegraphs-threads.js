// A thread dump as it came: each thread and greenlet with its state and frames, innermost first.

import { el, mark } from "/static/js/dom.js";
import { count, duration, moment, visible } from "/static/js/format.js";

const FEW = 4; // threads that are shown open, as those are that run

/** What stands in the viewer. */
export function threadDump(dump) {
  const at = moment(Date.parse(dump.taken) / 1000);
  return [
    el("div", { class: "viewer-head" },
      el("h2", {}, `Threads of ${visible(dump.agent)}`),
      el("span", { class: "hint" }, `pid ${dump.pid} · ${at.short} · ${many(dump.threads.length, "thread")}${dump.greenlets ? `, ${many(dump.greenlets.length + dump.greenlets_left_out, "greenlet")}` : ""}`)),
    ...dump.threads.map((one) => thread(one, dump.threads.length <= FEW)),
    dump.greenlets?.length ? el("h3", {}, "Greenlets, those that wait the longest first") : null,
    ...(dump.greenlets ?? []).map(greenlet),
    el("p", { class: "hint" }, [visible(dump.note), left(dump.left_out, "threads or frames"), left(dump.greenlets_left_out, "greenlets")].filter(Boolean).join(" ")),
  ].filter(Boolean);
}

const many = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

const left = (number, words) => number ? `${count(number)} ${words} were left out.` : "";

const place = (frame) => [el("span", { class: "function" }, visible(frame.function)), el("span", { class: "sub" }, visible(`${frame.file}${frame.line ? `:${frame.line}` : ""}`))];

function greenlet(one) {
  const waits = one.waits_s === null ? one.state : `${one.state} for ${one.at_least ? "at least " : ""}${duration(one.waits_s)}`;
  const where = one.frames[0] ? `${one.frames[0].function} (${one.frames[0].file}:${one.frames[0].line ?? "?"})` : "";
  return el("details", { class: "thread" },
    el("summary", {}, el("span", { class: "strong" }, visible(one.name)), mark(one.state === "running" ? "good" : "unknown", visible(waits)),
      el("span", { class: "hint" }, visible(where))),
    one.frames.length ? el("ol", { class: "frames" }, one.frames.map((frame) => el("li", {}, place(frame)))) : el("p", { class: "hint" }, "No Python frames."),
    one.spawned.length ? el("p", { class: "hint" }, "Spawned at ", place(one.spawned[0])) : null);
}

function thread(one, open) {
  const [kind, word] = one.in_hub ? ["stopped", "in gevent's loop"] : one.state === "running" ? ["good", "running"] : ["unknown", "waiting"];
  const frames = one.frames.map((frame) => el("li", {}, place(frame)));
  return el("details", { class: "thread", open: open || one.state === "running" },
    el("summary", {}, el("span", { class: "strong" }, visible(one.name ?? "without a name")), mark(kind, word),
      one.holds_gil ? mark("info", "holds the GIL") : null, el("span", { class: "hint" }, one.id ? `thread ${one.id}` : "")),
    frames.length ? el("ol", { class: "frames" }, frames) : el("p", { class: "hint" }, "No Python frames."));
}
