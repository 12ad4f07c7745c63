// One log record: a line, and below it all there is to know, with what stands around it.

import { get, query } from "/static/js/api.js";
import { agentAround } from "/static/js/agent-links.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { count, moment, visible } from "/static/js/format.js";
import { clause } from "/static/js/logs-query.js";

export const LEVELS = { debug: "unknown", info: "info", warning: "warning", error: "bad", critical: "bad" };
const LINE = 1000; // characters of a message that a closed record shows
const PIECE = 200_000; // characters of a long text shown at once: more makes browsers slow
const AROUND = 20;
const MOST_AROUND = 200;

/** `tools`: metrics and documents (addresses of its agent's metrics, and of itself in Kibana; or null), filter (adds a part to the query). */
export function record(one, tools, { here = false } = {}) {
  const at = moment(one.timestamp);
  const line = el(
    "summary", {},
    el("time", { datetime: at.iso, title: at.day }, at.short, el("span", { class: "millis" }, `.${at.millis}`)),
    mark(LEVELS[one.level] ?? "unknown", visible(one.level ?? "–")),
    el("span", { class: "agent" }, visible(one.agent ?? "–")),
    el("span", { class: "message" }, visible((one.message ?? "").slice(0, LINE)), one.stack ? el("span", { class: "has-stack" }, visible(shortened(one.error) ?? "traceback")) : null),
  );
  const details = el("details", {}, line);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(more(one, tools)); // made when first looked at
  });
  return el(
    "li",
    { class: `record level-${LEVELS[one.level] ? one.level : "other"}${here ? " here" : ""}`, dataset: { id: one.id }, "aria-current": here ? "true" : null },
    details,
  );
}

const shortened = (name) => name?.split(".").at(-1).slice(0, 60);

function more(one, tools) {
  const at = moment(one.timestamp);
  const facts = [
    ["Time", `${at.day} ${at.time}.${at.millis}`.trim()], ["Level", one.level], ["Agent", [one.agent, one.version].filter(Boolean).join(" ")],
    ["Logger", [one.logger, one.line].filter(Boolean).join(":")], ["Error", one.error], ["Printed on", one.stream],
    ["Process", one.pid], ["Host", one.host], ["File", one.file], ["Event", one.event_id],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "div", { class: "more" },
    long(one, "message", "full"),
    one.stack ? long(one, "stack", "stack") : null,
    el("dl", {}, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, visible(value))])),
    around(one, tools),
  );
}

/** A text, and when the page has only its beginning, the way to the rest. */
function long(one, part, kind) {
  const text = el("pre", { class: kind, tabindex: 0, "aria-label": part === "stack" ? "Traceback" : "Message" }, visible(one[part]));
  const length = one.cut?.[part];
  if (!length) return text;
  const address = `/api/logs/text${query({ id: one.id, part })}`;
  const said = el("span", {}, `The first ${count(one[part].length)} of ${count(length)} characters.`);
  const step = el("button", { type: "button", class: "small" }, "Show more");
  let rest = null;
  let shown = one[part].length;
  step.addEventListener("click", async () => {
    step.disabled = true;
    try {
      rest ??= await whole(address);
      text.append(document.createTextNode(visible(rest.slice(shown, shown + PIECE))));
      shown = Math.min(shown + PIECE, rest.length);
      said.textContent = shown < rest.length ? `The first ${count(shown)} of ${count(rest.length)} characters.` : "All of it.";
      step.hidden = shown >= rest.length;
    } catch (error) {
      said.textContent = error.message;
    }
    step.disabled = false;
  });
  const all = el("a", { href: `${address}&download=1`, download: "" }, "Download all of it");
  return el("div", {}, text, el("p", { class: "hint rest" }, said, step, all));
}

async function whole(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error?.message ?? `The console answered ${answer.status}.`);
  return answer.text();
}

/** The way on from a record: its neighbours, its like, its agent's other pages. */
function around(one, tools) {
  const list = el("ol", { class: "records around", "aria-label": "What stands around this record, oldest first" });
  const trouble = el("div", {});
  const wider = el("button", { type: "button", class: "small", hidden: true }, "Wider");
  const buttons = [["this agent", one.agent], ["all agents", ""]].map(([name, agent]) => el(
    "button", { type: "button", class: "small", "aria-pressed": "false", "aria-label": `Around it: ${name}`, on: { click: (event) => show(agent, AROUND, event.currentTarget) } }, name,
  ));
  let reach = AROUND;
  let whose = "";
  wider.addEventListener("click", () => show(whose, Math.min(reach * 2, MOST_AROUND), null));

  async function show(agent, size, pressed) {
    if (pressed) {
      const again = pressed.getAttribute("aria-pressed") === "true";
      for (const button of buttons) button.setAttribute("aria-pressed", String(button === pressed && !again));
      if (again) {
        refill(list);
        wider.hidden = true;
        return;
      }
    }
    [whose, reach] = [agent, size];
    try {
      const found = await get(`/api/logs/context${query({ id: one.id, before: size, after: size, agent })}`);
      refill(trouble);
      refill(list, found.records.map((near) => record(near, tools, { here: near.id === one.id })));
      wider.hidden = reach >= MOST_AROUND || found.records.length <= reach;
      wider.textContent = `${Math.min(reach * 2, MOST_AROUND)} before and after`;
      list.querySelector(".here")?.scrollIntoView({ block: "nearest" });
    } catch (error) {
      refill(trouble, notice(error));
    }
  }

  const same = [["agent", one.agent], ["logger", one.logger], ["error", one.error]].filter(([, value]) => value).map(([field, value]) => el(
    "button", { type: "button", class: "small", on: { click: () => tools.filter(clause(field, value)) } }, `this ${field}`,
  ));
  const metrics = one.agent ? tools.metrics(one) : null;
  const itself = one.event_id ? tools.documents?.(one) : null;
  return el(
    "div", { class: "way-on" },
    el("div", { class: "steps" }, el("span", { class: "label" }, `${AROUND} before and after, of`), buttons, wider),
    el("div", { class: "steps" }, el("span", { class: "label" }, "Only"), same),
    itself ? el("div", { class: "steps" }, el("span", { class: "label" }, "This record"), el("a", { href: itself, rel: "noreferrer", target: "_blank" }, "In Kibana")) : null,
    one.agent ? el(
      "div", { class: "steps" }, el("span", { class: "label" }, "Its agent"),
      el("a", { href: agentAround(one.agent, one.timestamp), "data-route": true, "aria-label": `Plots of ${visible(one.agent)} around this record` }, "Plots"),
      el("a", { href: `/flamegraphs${query({ agent: one.agent })}`, "data-route": true }, "Flamegraphs"),
      metrics ? el("a", { href: metrics, rel: "noreferrer", target: "_blank" }, "Metrics") : null,
    ) : null,
    trouble, list,
  );
}
