// Logs: search, filter, page back, and follow what arrives.

import { get, query, toLogin } from "/static/js/api.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { count, moment, visible } from "/static/js/format.js";

export const title = "Logs";

const PAGE = 100;
const MOST_ROWS = 1000;
const LEVELS = { debug: "unknown", info: "info", warning: "warning", error: "bad", critical: "bad" };
const SPANS = [["15m", "15 minutes"], ["1h", "1 hour"], ["6h", "6 hours"], ["1d", "1 day"], ["7d", "7 days"], ["", "any time"]];

export function mount(root, { parameters, go }) {
  const form = searchForm(parameters);
  const status = el("p", { class: "hint", role: "status" });
  const trouble = el("div", {});
  const list = el("ol", { class: "records", "aria-label": "Log records, newest first" });
  const older = el("button", { type: "button", hidden: true, on: { click: () => load({ more: true }) } }, "Older records");
  root.append(el("h1", { class: "visually-hidden" }, "Logs"), form.node, trouble, status, list, el("p", { class: "centre" }, older));

  let stop = new AbortController();
  let source = null;
  let oldest = null;
  let lastId = 0;
  let waiting = [];
  let frame = 0;

  form.agents(parameters.get("agent") ? [parameters.get("agent")] : []);
  form.node.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  for (const select of form.selects) select.addEventListener("change", search);
  form.live.addEventListener("click", () => {
    form.setLive(!form.isLive());
    search();
  });

  function search() {
    go(`/logs${query({ ...form.values(), live: form.isLive() ? 1 : "" })}`, { replace: true });
  }

  async function load({ more = false } = {}) {
    stop.abort();
    stop = new AbortController();
    if (!more) status.textContent = "Searching…";
    older.disabled = true;
    try {
      const found = await get(`/api/logs${query({ ...form.values(), limit: PAGE, before: more ? oldest : "" })}`, stop.signal);
      refill(trouble);
      form.agents(found.agents);
      if (!more) list.replaceChildren();
      list.append(...found.records.map(record));
      oldest = found.records.at(-1)?.id ?? oldest;
      // A record may arrive between the server's two looks: it must not show twice.
      if (!more) lastId = Math.max(found.last_id, found.records[0]?.id ?? 0);
      older.hidden = !found.more;
      tell(found.more);
      if (!more && form.isLive()) follow();
    } catch (error) {
      if (error.name === "AbortError") return;
      refill(trouble, notice(error), pointer(form.values().q, error.position));
      status.textContent = "";
    } finally {
      older.disabled = false;
    }
  }

  function tell(more) {
    const rows = list.childElementCount;
    const found = rows === 0 ? "No records match." : `${count(rows)}${more ? " or more" : ""} ${rows === 1 ? "record" : "records"}, newest first.`;
    status.textContent = form.isLive() ? `${found} Following…` : found;
    if (rows === 0 && !form.isLive()) status.textContent += " Try a longer time or fewer words.";
  }

  function follow() {
    const { q, agent, level } = form.values();
    source = new EventSource(`/api/logs/tail${query({ q, agent, level, after: lastId })}`);
    source.addEventListener("record", (event) => {
      waiting.push(JSON.parse(event.data));
      frame ||= requestAnimationFrame(draw);
    });
    source.addEventListener("open", () => tell(!older.hidden));
    source.addEventListener("trouble", (event) => {
      refill(trouble, notice(JSON.parse(event.data).error));
      source.close();
    });
    source.addEventListener("error", () => {
      status.textContent = "The live tail was interrupted: connecting again…";
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      // Refused: a request that can say why (or lead to the login page).
      get("/api/session", stop.signal).then(
        () => setTimeout(() => source?.readyState === EventSource.CLOSED && follow(), 3000),
        (error) => error.status === 401 ? toLogin() : refill(trouble, notice(error)),
      );
    });
  }

  /** Puts what arrived since the last frame on top: one change of the page, however many records. */
  function draw() {
    frame = 0;
    const arrived = waiting.splice(0).slice(-MOST_ROWS);
    list.prepend(...arrived.reverse().map((one) => {
      const row = record(one);
      row.classList.add("new");
      return row;
    }));
    lastId = Math.max(lastId, arrived[0]?.id ?? 0);
    while (list.childElementCount > MOST_ROWS) {
      list.lastElementChild.remove();
      oldest = Number(list.lastElementChild.dataset.id);
      older.hidden = false;
    }
    tell(!older.hidden);
  }

  load();
  return () => {
    stop.abort();
    source?.close();
    source = null;
    cancelAnimationFrame(frame);
  };
}

function searchForm(parameters) {
  const q = el("input", {
    type: "search", id: "q", name: "q", placeholder: "error AND historian", value: parameters.get("q") ?? "",
    spellcheck: "false", autocapitalize: "none", maxlength: 1000, "aria-describedby": "q-help",
  });
  const agent = el("select", { id: "agent", name: "agent" });
  const level = choice("level", [["", "all levels"], ...Object.keys(LEVELS).map((name) => [name, name === "critical" ? name : `${name} and above`])], parameters.get("level") ?? "");
  const since = choice("since", SPANS, parameters.get("since") ?? "1h");
  const live = el("button", { type: "button", class: "toggle", "aria-pressed": parameters.get("live") ? "true" : "false" }, el("span", { class: "lamp", "aria-hidden": "true" }), "Live tail");
  const field = (name, label, node, kind = "") => el("div", { class: `field ${kind}` }, el("label", { for: name }, label), node);
  const node = el(
    "form", { class: "panel filters", role: "search" },
    field("q", "Search", q, "wide"),
    field("agent", "Agent", agent),
    field("level", "Level", level),
    field("since", "Within", since),
    el("div", { class: "field buttons" }, el("button", { type: "submit", class: "primary" }, "Search"), live),
    el("p", { class: "hint", id: "q-help" }, "Words, \"a phrase\", prefix*, AND, OR, NOT and parentheses."),
  );
  return {
    node,
    live,
    selects: [agent, level, since],
    isLive: () => live.getAttribute("aria-pressed") === "true",
    setLive: (on) => live.setAttribute("aria-pressed", String(on)),
    // An empty span means any time; it is kept in the address so that a reload does not fall back to an hour.
    values: () => ({ q: q.value.trim(), agent: agent.value, level: level.value, since: since.value || "3650d" }),
    agents(names) {
      const chosen = agent.value || parameters.get("agent") || "";
      const all = [...new Set([...names, ...(chosen ? [chosen] : [])])].sort();
      refill(agent, el("option", { value: "" }, "all agents"), all.map((name) => el("option", { value: name }, visible(name))));
      agent.value = chosen;
    },
  };
}

function choice(name, options, chosen) {
  const node = el("select", { id: name, name }, options.map(([value, text]) => el("option", { value }, text)));
  node.value = chosen === "3650d" ? "" : chosen;
  if (node.selectedIndex < 0) node.selectedIndex = 0;
  return node;
}

/** The query with a pointer below the character it could not be read at. */
function pointer(text, position) {
  if (position === undefined || position === null || !text) return null;
  return el("pre", { class: "pointer" }, `${visible(text)}\n${" ".repeat(position)}↑`);
}

function record(one) {
  const at = moment(one.timestamp);
  const line = el(
    "summary", {},
    el("time", { datetime: new Date(one.timestamp * 1000).toISOString(), title: at.day }, at.short, el("span", { class: "millis" }, `.${at.millis}`)),
    mark(LEVELS[one.level] ?? "unknown", visible(one.level ?? "–")),
    el("span", { class: "agent" }, visible(one.agent ?? "–")),
    el("span", { class: "message" }, visible(one.message), one.stack ? el("span", { class: "has-stack" }, "traceback") : null),
  );
  const details = el("details", {}, line);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(more(one)); // made when first looked at
  });
  return el("li", { class: `record level-${LEVELS[one.level] ? one.level : "other"}`, dataset: { id: one.id } }, details);
}

function more(one) {
  const at = moment(one.timestamp);
  const facts = [
    ["Time", `${at.day} ${at.time}.${at.millis}`], ["Agent", one.agent], ["Level", one.level], ["Logger", one.logger],
    ["Process", one.pid], ["Event", one.event_id],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "div", { class: "more" },
    el("pre", { class: "full" }, visible(one.message)),
    one.stack ? el("pre", { class: "stack", "aria-label": "Traceback" }, visible(one.stack)) : null,
    el("dl", {}, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, visible(value))])),
  );
}
