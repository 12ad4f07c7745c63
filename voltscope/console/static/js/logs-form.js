// What to search for: words, agent, level and time, and where in the query a mistake is.

import { el, refill } from "/static/js/dom.js";
import { visible } from "/static/js/format.js";
import { LEVELS } from "/static/js/logs-records.js";

const EVER = "3650d"; // any time is kept in the address, so that a reload does not fall back to an hour
const SPANS = [["15m", "15 minutes"], ["1h", "1 hour"], ["6h", "6 hours"], ["1d", "1 day"], ["7d", "7 days"], ["", "any time"], ["custom", "from … to …"]];

const two = (number) => String(number).padStart(2, "0");

/** Seconds since the epoch as a datetime-local field has them, and back (null when it is empty). */
export function typed(epoch) {
  const at = new Date(epoch * 1000);
  if (Number.isNaN(at.getTime())) return "";
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
export const read = (text) => (text ? new Date(text).getTime() / 1000 : null);

export function searchForm(parameters) {
  const q = el("input", {
    type: "search", id: "q", name: "q", placeholder: "level>=warning and \"timed out\" not logger:sqlite", value: parameters.get("q") ?? "",
    spellcheck: "false", autocapitalize: "none", autocomplete: "off", maxlength: 2000, "aria-describedby": "q-help",
  });
  const agent = el("select", { id: "agent", name: "agent" });
  const level = choice("level", [["", "all levels"], ...Object.keys(LEVELS).map((name) => [name, name === "critical" ? name : `${name} and above`])]);
  const within = choice("since", SPANS);
  const [from, to] = ["from", "to"].map((name) => el("input", { type: "datetime-local", id: name, name, step: 1, max: "9999-12-31T23:59:59" }));
  const live = el("button", { type: "button", class: "toggle", "aria-pressed": parameters.get("live") ? "true" : "false" }, el("span", { class: "lamp", "aria-hidden": "true" }), "Live tail");
  const field = (name, label, node, kind = "") => el("div", { class: `field ${kind}` }, el("label", { for: name }, label), node);
  const custom = el("div", { class: "custom-time", hidden: true }, field("from", "From", from), field("to", "To", to));
  const menus = el("div", { class: "menus" });
  const pointer = el("div", { class: "at-fault" });
  const node = el(
    "form", { class: "panel filters", role: "search" },
    field("q", "Search", q, "wide query"),
    el("div", { class: "field buttons" }, el("button", { type: "submit", class: "primary" }, "Search"), live),
    pointer,
    field("agent", "Agent", agent), field("level", "Level", level), field("since", "Within", within), custom, menus,
    el(
      "details", { class: "help", id: "q-help" }, el("summary", {}, "How to write a query"),
      el("dl", {}, [
        ["timed out", "both words; in quotes, side by side; hist* for the beginning of one"],
        ["and, or, not, ( )", "put together; words side by side mean and"],
        ["agent:historian", "a word in a field: agent, level, logger, error, message, stack, file, host, stream"],
        ["agent=\"platform.driver\"", "the whole value, letter for letter"],
        ["level>=warning", "at least; also of pid, line and time>=2026-11-21T03:00"],
        ["error:*", "records that have the field at all"],
      ].flatMap(([write, means]) => [el("dt", {}, el("code", {}, write)), el("dd", {}, means)])),
    ),
  );
  // exact bounds of a span that was zoomed to or shared: the fields only show whole seconds
  let exact = { since: null, until: null };

  function range(since, until) {
    exact = { since, until };
    [from.value, to.value] = [since === null ? "" : typed(since), until === null ? "" : typed(until)];
    within.value = "custom";
    custom.hidden = false;
  }

  /** Within so much time; a span the list does not have, such as `2d`, joins it. */
  function span(text) {
    const value = text === EVER ? "" : text;
    if (![...within.options].some((option) => option.value === value)) within.append(el("option", { value }, value));
    within.value = value;
    custom.hidden = true;
  }

  function bound(input, name) {
    const seconds = read(input.value);
    if (seconds === null) return "";
    const known = exact[name];
    return known !== null && typed(known) === input.value ? known : seconds;
  }

  const numeric = (name) => (/^-?[0-9.]+$/.test(parameters.get(name) ?? "") ? Number(parameters.get(name)) : null);
  level.value = parameters.get("level") ?? "";
  if (level.selectedIndex < 0) level.selectedIndex = 0;
  if (numeric("since") !== null || numeric("until") !== null) range(numeric("since"), numeric("until"));
  else span(parameters.get("since") ?? "1h");
  within.addEventListener("change", () => {
    custom.hidden = within.value !== "custom";
    if (!custom.hidden) from.focus();
  });

  return {
    node, menus, live, q,
    selects: [agent, level, within, from, to],
    range,
    isCustom: () => within.value === "custom",
    isLive: () => live.getAttribute("aria-pressed") === "true",
    setLive: (on) => live.setAttribute("aria-pressed", String(on)),
    values() {
      const custom = within.value === "custom";
      return {
        q: q.value.trim(), agent: agent.value, level: level.value,
        since: custom ? bound(from, "since") || EVER : within.value || EVER, until: custom ? bound(to, "until") : "",
      };
    },
    /** The same as a server is asked. */
    wanted() {
      const values = this.values();
      return { ...values, since: values.since === EVER ? "" : values.since };
    },
    /** Put a saved search in place of what is there. */
    take(saved) {
      q.value = saved.query;
      this.agents([...agent.options].map((option) => option.value).filter(Boolean), saved.agent);
      level.value = saved.level;
      if (saved.since) span(saved.since);
    },
    agents(names, wanted = agent.value || parameters.get("agent") || "") {
      const all = [...new Set([...names, ...(wanted ? [wanted] : [])])].sort();
      refill(agent, el("option", { value: "" }, "all agents"), all.map((name) => el("option", { value: name }, visible(name))));
      agent.value = wanted;
    },
    /** Point at the character at fault (null: none is), which browsers count in halves of surrogate pairs. */
    fault(position) {
      q.toggleAttribute("aria-invalid", position !== null);
      if (position === null) {
        refill(pointer);
        return;
      }
      const text = [...q.value];
      const before = text.slice(0, position).join("");
      refill(pointer, el("pre", { class: "pointer" }, `${visible(q.value)}\n${" ".repeat([...visible(before)].length)}↑`));
      q.focus();
      q.setSelectionRange(before.length, Math.min(q.value.length, before.length + 1));
    },
  };
}

function choice(name, options) {
  return el("select", { id: name, name }, options.map(([value, text]) => el("option", { value }, text)));
}
