// Patterns: what the log says most with what varies left out, and what changed at a moment.

import { get, query } from "/static/js/api.js";
import { el, mark, refill } from "/static/js/dom.js";
import { count, moment, percent, visible } from "/static/js/format.js";
import { typed, read } from "/static/js/logs-form.js";
import { LEVELS } from "/static/js/logs-records.js";
import { heads } from "/static/js/tables.js";

const WINDOWS = [["5m", "5 minutes"], ["15m", "15 minutes"], ["30m", "30 minutes"], ["1h", "1 hour"], ["6h", "6 hours"], ["1d", "1 day"]];
const KINDS = { appeared: ["odd", "appeared"], vanished: ["stopped", "vanished"], more: ["warning", "more"], less: ["info", "less"] };
const MOST = 100;

const worst = (levels) => Object.keys(LEVELS).filter((level) => level in levels).at(-1) ?? "info";

/** The template with its gaps set off; what the template says is text as everywhere. */
function template({ template: text, error }) {
  const parts = text.split(/(<(?:num|time|uuid|ip|path|url|hex|\*)>)/).filter(Boolean);
  return el(
    "span", { class: "template" },
    parts.map((part) => (/^<[a-z*]+>$/.test(part) ? el("span", { class: "gap" }, part) : visible(part))),
    error ? el("span", { class: "has-stack" }, visible(error.split(".").at(-1))) : null,
  );
}

function who({ agents }) {
  const [first, ...others] = Object.keys(agents);
  return [visible(first ?? "–"), others.length ? el("span", { class: "sub", title: others.map(visible).join(", ") }, `and ${others.length} more`) : null];
}

function table(caption, columns, rows) {
  return el(
    "table", { class: "panel patterns", "aria-label": caption },
    el("thead", {}, el("tr", {}, heads(columns))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((content, index) => el(index ? "td" : "th", { scope: index ? null : "row", class: columns[index][1], dataset: { label: columns[index][0] } }, content))))),
  );
}

const seenFrom = (span) => (span.read_from === null ? "" : ` The newest only, from ${moment(span.read_from).short} on: there are too many.`);

function way(show, pattern, since, until) {
  return el("button", { type: "button", class: "small", "aria-label": `Records of ${visible(pattern.template)}`, on: { click: () => show(pattern.query, since, until) } }, "Records");
}

/** `show(query, since, until)` goes to the records of one pattern. */
export function patterns({ show }) {
  const words = el("p", { class: "hint", role: "status" });
  const list = el("div", {});

  async function load(wanted, signal) {
    words.textContent = "Grouping…";
    const found = await get(`/api/logs/patterns${query({ ...wanted, limit: MOST })}`, signal);
    const { span } = found;
    const part = found.all > found.patterns.length ? `, the commonest ${found.patterns.length} of them below` : "";
    words.textContent = `${count(span.records)} records in ${count(found.all)} patterns${part}.${seenFrom(span)}${found.compared ? " New is what the time before, as long, did not have." : ""}`;
    refill(list, found.patterns.length === 0 ? null : table("Patterns", [["Records", "num"], ["Share", "num"], ["Level"], ["Agent"], ["Message"], ["", "actions"]], found.patterns.map((one) => [
      count(one.count), percent(one.share * 100), mark(LEVELS[worst(one.levels)] ?? "info", worst(one.levels)), who(one),
      [one.new ? el("span", { class: "badge" }, "new") : null, one.rare ? el("span", { class: "badge" }, "rare") : null, template(one)],
      way(show, one, span.since, span.until),
    ])));
  }
  return { node: el("div", { class: "results" }, words, list), load };
}

/** Two spans side by side; `at`, `length`: of an address; `chosen(at, length)`: somebody wants another moment. */
export function changes({ show, at, length, chosen }) {
  const when = el("input", { type: "datetime-local", id: "at", step: 1, value: typed(at) });
  const wide = el("select", { id: "window" }, WINDOWS.map(([value, text]) => el("option", { value }, text)));
  const words = el("p", { class: "hint", role: "status" });
  const list = el("div", {});
  wide.value = length;
  if (wide.selectedIndex < 0) wide.value = "30m";
  for (const input of [when, wide]) input.addEventListener("change", () => read(when.value) !== null && chosen(read(when.value), wide.value));

  async function load(wanted, signal) {
    words.textContent = "Comparing…";
    const { q, agent, level } = wanted;
    const found = await get(`/api/logs/patterns${query({ q, agent, level, at: read(when.value), window: wide.value, limit: MOST })}`, signal);
    const { before, after } = found;
    const short = (epoch) => moment(epoch).short;
    words.textContent = `${count(after.records)} records from ${short(after.since)} to ${short(after.until)}, beside ${count(before.records)} from ${short(before.since)} on: ${found.all ? `${count(found.all)} patterns changed` : "nothing changed that chance would not"}, ${count(found.unchanged)} did not.${seenFrom(after)}`;
    refill(list, found.changes.length === 0 ? null : table("What changed", [["Change"], ["Before", "num"], ["After", "num"], ["Level"], ["Agent"], ["Message"], ["", "actions"]], found.changes.map(({ kind, pattern, ...each }) => [
      mark(...(KINDS[kind] ?? ["unknown", kind]), each.factor ? `${each.factor.toPrecision(3)} times` : undefined), count(each.before), count(each.after),
      mark(LEVELS[worst(pattern.levels)] ?? "info", worst(pattern.levels)), who(pattern), template(pattern),
      way(show, pattern, before.since, after.until),
    ])));
  }
  const field = (id, label, input) => el("div", { class: "field" }, el("label", { for: id }, label), input);
  return {
    node: el("div", { class: "results" }, el("div", { class: "moment" }, field("at", "What changed at", when), field("window", "Compared over", wide)), words, list),
    load,
    set(moment) {
      when.value = typed(moment);
      return read(when.value);
    },
  };
}

/** Tabs, by the arrow keys too. `views`: [name, title, node]; `choose(name)`: somebody wants another. */
export function tabs(views, current, choose) {
  const buttons = views.map(([name, text]) => el("button", {
    type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `view-${name}`, "aria-selected": String(name === current), tabindex: name === current ? 0 : -1, on: { click: () => choose(name) },
  }, text));
  for (const [name, , node] of views) {
    node.setAttribute("role", "tabpanel");
    node.setAttribute("id", `view-${name}`);
    node.setAttribute("aria-labelledby", `tab-${name}`);
    node.hidden = name !== current;
  }
  const list = el("div", { class: "tabs", role: "tablist", "aria-label": "How to look at it" }, buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const index = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    choose(views[index][0]);
    buttons[index].focus();
  });
  return {
    node: list,
    turn(name) {
      views.forEach(([each, , node], index) => {
        node.hidden = each !== name;
        buttons[index].setAttribute("aria-selected", String(each === name));
        buttons[index].setAttribute("tabindex", each === name ? "0" : "-1");
      });
    },
  };
}
