// One alert whole: what it says, what was found when it began, who was told; and taking it in hand.

import { get, post, query, remove } from "/static/js/api.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { duration, moment, visible } from "/static/js/format.js";
import { KINDS, about, field, severityMark, stateMark, way, when, words } from "/static/js/alerts-parts.js";

const NAMES = { runbook: "Runbook", dashboard: "Dashboard", flamegraph: "Flamegraph", logs: "Log", console: "Agent or platform" };
const SPANS_S = [["1 hour", 3600], ["4 hours", 4 * 3600], ["1 day", 86400], ["1 week", 7 * 86400]];
const AGAIN_MS = 10_000; // evidence takes a while: a capture has to be made

/** A panel for the alert that is open. `close`: its address without it; `changed()`: what goes on is to be read again. */
export function alertDetail({ session, close, changed }) {
  const head = el("h2", { id: "alert-title", tabindex: -1 });
  const body = el("div", { class: "alert-body" });
  const found = el("div", { class: "alert-evidence" });
  const form = session.role === "operator" ? actions() : null;
  const node = el("section", { class: "panel alert-detail", "aria-labelledby": "alert-title", hidden: true },
    el("div", { class: "panel-head" }, head, el("a", { href: close, "data-route": true, dataset: { key: "close-alert" } }, "Close")),
    body, form?.node, found);
  let alert = null;
  const drawn = new Map(); // by place, what is shown there: what is as it was stays as it is, also what is selected
  let read = { id: null, at: 0 };

  /** `one`: an alert that goes on, or an occurrence that was. */
  function show(one, signal) {
    const first = alert?.id !== one.id;
    alert = one;
    node.hidden = false;
    head.textContent = visible(one.name);
    draw(body, one, facts);
    form?.update(one);
    const occurrence = one.occurrence ?? one.id;
    if (one.evidence) draw(found, one, evidence);
    else if (read.id !== occurrence || Date.now() - read.at > AGAIN_MS) load(occurrence, signal);
    if (first) head.focus({ preventScroll: true });
  }

  function draw(place, what, parts) {
    const key = JSON.stringify(what);
    if (drawn.get(place) === key) return;
    drawn.set(place, key);
    const unfolded = [...place.querySelectorAll("details")].map(({ open }) => open);
    refill(place, ...parts(what));
    place.querySelectorAll("details").forEach((one, index) => { one.open = unfolded[index] ?? false; });
  }

  async function load(occurrence, signal) {
    read = { id: occurrence, at: Date.now() };
    try {
      draw(found, await get(`/api/alerts/history/${occurrence}`, signal), evidence);
    } catch (error) {
      drawn.delete(found);
      if (error.name !== "AbortError") refill(found, notice(error));
    }
  }

  /** Nothing is known of the alert that was asked for. */
  function gone() {
    node.hidden = false;
    head.textContent = "No such alert";
    drawn.clear();
    refill(body, el("p", { class: "hint" }, "No alert of this id goes on, and the history has none. It may have begun a moment ago, or be another site's."));
    if (form) form.node.hidden = true;
    refill(found);
  }

  function actions() {
    const why = el("input", { type: "text", maxlength: 500, autocomplete: "off", placeholder: "Others read it" });
    const take = el("button", { type: "submit", class: "primary" }, "Acknowledge");
    const span = el("select", {}, SPANS_S.map(([name, seconds]) => el("option", { value: seconds }, name)));
    const hush = el("button", { type: "button" }, "Silence");
    const said = el("div", { "aria-live": "polite" });
    const made = el("form", { class: "filters alert-actions" }, field("alert-why", "Reason", why, "field wide"),
      el("div", { class: "field buttons" }, take), field("alert-span", "Silence for", span), el("div", { class: "field buttons" }, hush), said);

    async function act(what, done) {
      why.setCustomValidity(why.value.trim() ? "" : "Say why, in a few words: others will read it.");
      if (!why.reportValidity()) return;
      for (const one of [take, hush]) one.disabled = true;
      try {
        await what(why.value.trim());
        why.value = "";
        refill(said, el("p", { class: "hint" }, done));
        await changed();
      } catch (error) {
        refill(said, notice(error));
      }
      for (const one of [take, hush]) one.disabled = false;
    }
    made.addEventListener("submit", (event) => {
      event.preventDefault();
      const held = alert.acknowledgement;
      if (held) act((reason) => remove(`/api/alerts/acknowledgements/${held.id}${query({ why: reason })}`), "Taken back: people are told of it again.");
      else act((reason) => post("/api/alerts/acknowledgements", { alert: alert.id, why: reason }), "Acknowledged until it is over.");
    });
    hush.addEventListener("click", () => {
      const matchers = Object.entries(alert.labels).map(([name, value]) => ({ name, value, is_regex: false, is_equal: true }));
      act((reason) => post("/api/alerts/silences", { matchers, until: Date.now() / 1000 + Number(span.value), why: reason }), "Silenced.");
    });
    why.addEventListener("input", () => why.setCustomValidity(""));
    return {
      node: made,
      update(one) {
        made.hidden = one.state === undefined; // an occurrence that was
        take.textContent = one.acknowledgement ? "Take back" : "Acknowledge";
      },
    };
  }

  return { node, show, gone, opened: () => alert?.id };
}

function facts(one) {
  const { summary, description, ...others } = one.annotations;
  const links = Object.entries(one.links).filter(([, address]) => address).map(([name, address]) => way(NAMES[name] ?? name, address));
  const held = one.acknowledgement ?? one.acknowledged;
  const told = [
    ["How bad", severityMark(one.severity)],
    ...(one.ended ? [["State", mark("good", "over")]] : []),
    ...(one.state ? [["State", [stateMark(one), one.flapping ? " flapping" : ""]]] : []),
    ["About", about(one.labels)],
    ["When", when(one)],
    ...(one.flaps ? [["Began again", `${one.flaps} times`]] : []),
    ...(held ? [["In hand of", `${visible(held.by)} since ${moment(held.at).short}: ${visible(held.why)}${held.applied === false ? " (Alertmanager has it as soon as it answers)" : ""}`]] : []),
    ...(one.silenced_by ?? []).filter(({ kind }) => kind !== "acknowledgement").map((by) => ["Kept quiet", `${KINDS[by.kind] ?? by.kind} by ${visible(by.by)} until ${moment(by.until).short}: ${visible(by.why)}`]),
  ];
  const rest = { ...one.labels, ...others };
  return [
    summary ? el("p", { class: "strong" }, visible(summary).slice(0, 300)) : null,
    description ? words(description) : null,
    el("dl", {}, told.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    links.length ? el("p", { class: "links" }, links) : null,
    el("details", { class: "alert-labels" }, el("summary", {}, "Labels"), el("dl", {}, Object.entries(rest).flatMap(([name, value]) => [el("dt", {}, visible(name)), el("dd", {}, words(value, 200))]))),
  ];
}

function evidence({ evidence: { capture, logs, errors }, notified }) {
  const parts = [];
  if (capture?.id) parts.push(el("p", {}, el("a", { href: `/flamegraphs${query({ id: capture.id })}`, "data-route": true, dataset: { key: "capture" } }, "The flamegraph taken when it began"), ` ${visible(capture.words ?? "")}`));
  if (logs?.length) parts.push(el("pre", { tabindex: 0, "aria-label": "Its log around the beginning" }, logs.map((line) => `${moment(line.timestamp).short} ${visible(line.level ?? "")} ${visible(line.message)}`).join("\n")));
  else if (capture?.id && !errors?.length) parts.push(el("p", { class: "hint" }, "Its log has no error around that time."));
  for (const words of errors ?? []) parts.push(el("p", { class: "hint" }, visible(words)));
  if (parts.length) parts.unshift(el("h3", {}, "When it began"));
  if (notified?.length) {
    parts.push(el("h3", {}, "Who was told"), el("ul", { class: "told" }, notified.map(({ at, receiver, status }) => el("li", {}, `${moment(at).short} ${visible(receiver)}: ${visible(status)}`))));
  }
  return parts;
}

/** How long ago something began. */
export const since = (started) => duration(Math.max(0, Date.now() / 1000 - started));
