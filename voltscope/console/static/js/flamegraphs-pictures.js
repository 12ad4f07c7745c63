// What all views of profiles share: kinds, the picture in its sandbox, and where else to take it.

import { el, mark } from "/static/js/dom.js";
import { query } from "/static/js/api.js";
import { visible } from "/static/js/format.js";

export const KINDS = [
  ["cpu", "CPU", "Where it computes; waiting is left out."],
  ["wall", "Wall clock", "Everything, waiting included."],
  ["gil", "GIL", "What holds Python's global lock."],
  ["memory", "Memory", "Bytes allocated, by who allocated them."],
  ["greenlet", "Greenlets", "Every greenlet, also those that wait, from where it was spawned. The agent must have loaded the probe."],
];
export const KIND_NAMES = Object.fromEntries(KINDS.map(([kind, name]) => [kind, name]));

export const field = (id, label, node, kind = "") => el("div", { class: `field ${kind}` }, el("label", { for: id }, label), node);

export const percent = (share) => `${(share * 100).toFixed(1)} %`;

/** Why a capture failed, as an error for `notice`. */
export function failure(capture) {
  const error = capture.error;
  if (error && typeof error === "object") return error;
  return { message: error || "The capture failed.", remedy: null };
}

/** How a capture ended, in words. */
export function result(capture) {
  if (capture.state === "failed") return mark("bad", visible(failure(capture).message));
  if (capture.state === "done") return el("span", { class: "sub-words" }, visible(capture.words ?? "done"));
  return mark("warning", "recording");
}

/** The drawing; scripts of its own for zoom and search, in an origin of its own: it sees nothing of this page. */
export function picture(address, title) {
  return el("div", { class: "frame" }, el("iframe", { sandbox: "allow-scripts", src: address, title: visible(title) }));
}

/** Links to a profile's other forms; `address(form)` is where each is, `name` what the file is called. */
export function downloads(address, name, session, more = []) {
  const file = (form, words, end = form) => el("a", { href: address(form), download: `${name}.${end}` }, words);
  const scope = session.speedscope.available
    ? el("a", {
        href: `/speedscope/index.html#profileURL=${encodeURIComponent(address("speedscope.json"))}&title=${encodeURIComponent(name)}`,
        target: "_blank", rel: "noopener",
      }, "Open in speedscope")
    : el("span", { class: "hint", title: session.speedscope.reason }, "speedscope is not installed");
  return el("span", { class: "links" }, scope, file("svg", "SVG"), file("folded", "Folded stacks", "folded.txt"),
    file("speedscope.json", "speedscope JSON"), file("json", "JSON"), file("pb.gz", "pprof"), more);
}

/** Where a view of this page is; empty parameters are left out. */
export const page = (parameters) => `/flamegraphs${query(parameters)}`;

/** A link within the console. */
export const to = (address, words, attributes = {}) => el("a", { href: address, "data-route": true, ...attributes }, words);

/** A choice of `[value, words]`, one of them chosen. */
export function select(id, choices, chosen) {
  const node = el("select", { id, name: id }, choices.map(([value, words]) => el("option", { value }, words)));
  if (choices.some(([value]) => value === chosen)) node.value = chosen;
  return node;
}
