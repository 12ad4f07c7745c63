// Every greenlet in a table, by where it waits, whoever has waited longest first.

import { el, mark, refill } from "/static/js/dom.js";
import { count, duration } from "/static/js/format.js";
import { select } from "/static/js/flamegraphs-pictures.js";
import { brief, waitsAt, where, whole } from "/static/js/live-places.js";

const SHOWN = 100; // rows at first; more on demand
const MORE = 400;
const STATES = { running: ["good", "running"], waiting: ["unknown", "waiting"], ready: ["info", "ready"], new: ["info", "not begun"] };
const COLUMNS = [["Greenlet"], ["State"], ["Waits at"], ["For", "num"], ["Spawned at"], ["Age", "num"]];
const key = (place) => (place ? `${place.file}:${place.line}:${place.function}` : "");
const spawn = (one) => waitsAt(one.spawned);
const GROUPS = {
  place: ["where they wait", (one) => waitsAt(one.stack)],
  spawned: ["where they were spawned", spawn],
  "": ["nothing", null],
};
const plain = (name) => String(name).replace(/0x[0-9a-f]+|\d+/gi, "#"); // Worker-7 and Worker-8 are of one kind

/** `choose(greenlet)`; `node`, `tools`, `update(greenlets)`. */
export function greenletTable(choose) {
  const search = el("input", { id: "greenlet-filter", type: "search", placeholder: "Name, function or file", autocomplete: "off" });
  const by = select("greenlet-group", Object.entries(GROUPS).map(([value, [words]]) => [value, words]), "place");
  const states = select("greenlet-state", [["", "Any state"], ...Object.entries(STATES).map(([value, [, words]]) => [value, words])], "");
  states.setAttribute("aria-label", "State");
  const body = el("tbody", {});
  const table = el("table", { class: "greenlets", "aria-labelledby": "greenlets-title" },
    el("thead", {}, el("tr", {}, COLUMNS.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))), body);
  const more = el("button", { type: "button", class: "quiet" });
  const words = el("p", { class: "hint", role: "status" });
  const rows = new Map(); // by number: kept from one update to the next
  const open = new Set(); // groups
  let all = [];
  let shown = SHOWN;
  let chosen = null;

  const since = (one) => (one.waits_s === null ? "–" : `${one.at_least ? "≥ " : ""}${duration(one.waits_s)}`);
  function place(found, label, extra = null) {
    return el("td", { dataset: { label } }, el("span", {}, found ? [el("span", { class: "function", title: whole(found) }, brief(found.function, 44)), el("span", { class: "sub" }, where(found))] : el("span", { class: "hint" }, "–"), extra));
  }

  function row(one) {
    const at = waitsAt(one.stack);
    const stays = `${one.name}\n${one.state}\n${key(at)}\n${key(spawn(one))}`;
    let kept = rows.get(one.number);
    if (kept?.stays !== stays) {
      const waits = el("td", { class: "num", dataset: { label: "For" } });
      const age = el("td", { class: "num", dataset: { label: "Age" } });
      const pick = el("button", { type: "button", class: "frame-link", title: brief(one.name, 600), dataset: { key: `greenlet-${one.number}` }, on: { click: () => choose(one.number) } }, brief(one.name, 44));
      kept = { stays, waits, age, node: el("tr", {}, el("th", { scope: "row" }, pick), el("td", { dataset: { label: "State" } }, mark(...(STATES[one.state] ?? ["unknown", brief(one.state)]))), place(at, "Waits at"), waits, place(spawn(one), "Spawned at"), age) };
      rows.set(one.number, kept);
    }
    kept.waits.textContent = since(one);
    kept.age.textContent = duration(one.age_s);
    kept.node.classList.toggle("current", one.number === chosen);
    return kept.node;
  }

  function group(name, members) {
    const longest = members[0]; // they come longest first
    const at = GROUPS[by.value][1](longest);
    const isOpen = open.has(name);
    const kinds = new Map();
    for (const one of members) kinds.set(plain(one.name), (kinds.get(plain(one.name)) ?? 0) + 1);
    const [[kind]] = [...kinds].sort(([, a], [, b]) => b - a);
    const toggle = el("button", { type: "button", class: "frame-link group-toggle", "aria-expanded": String(isOpen), dataset: { key: `group-${name.slice(0, 300)}` }, on: { click: () => {
      if (isOpen) open.delete(name);
      else open.add(name);
      draw();
    } } }, el("span", { class: "strong" }, `${isOpen ? "▾" : "▸"} ${count(members.length)} × `), brief(kind, 36), kinds.size > 1 ? el("span", { class: "sub" }, `and ${count(kinds.size - 1)} more ${kinds.size > 2 ? "kinds" : "kind"} of name`) : null);
    const waiting = new Map();
    for (const one of members) waiting.set(one.state, (waiting.get(one.state) ?? 0) + 1);
    const state = [...waiting].map(([each, number]) => mark(STATES[each]?.[0] ?? "unknown", `${waiting.size > 1 ? `${count(number)} ` : ""}${STATES[each]?.[1] ?? brief(each)}`));
    const spawns = new Set(members.map((one) => key(spawn(one))));
    const places = new Set(members.map((one) => key(waitsAt(one.stack))));
    const many = (size) => (size > 1 ? el("span", { class: "sub" }, `and ${count(size - 1)} more ${size > 2 ? "places" : "place"}`) : null);
    return el("tr", { class: "group" }, el("th", { scope: "row" }, toggle), el("td", { dataset: { label: "State" } }, state),
      by.value === "place" ? place(at, "Waits at") : place(waitsAt(longest.stack), "Waits at", many(places.size)),
      el("td", { class: "num", dataset: { label: "For" } }, members.length > 1 && longest.waits_s !== null ? el("span", {}, since(longest), el("span", { class: "sub" }, "longest")) : since(longest)),
      place(spawn(longest), "Spawned at", by.value === "spawned" ? null : many(spawns.size)),
      el("td", { class: "num", dataset: { label: "Age" } }, duration(Math.max(...members.map((one) => one.age_s)))));
  }

  function draw() {
    const wanted = search.value.trim().toLowerCase();
    const text = (one) => `${one.name} ${one.stack.map((at) => `${at.function} ${at.file}`).join(" ")} ${one.spawned.map((at) => `${at.function} ${at.file}`).join(" ")}`.toLowerCase();
    const found = all.filter((one) => (!states.value || one.state === states.value) && (!wanted || text(one).includes(wanted)))
      .sort((one, other) => (other.waits_s ?? -1) - (one.waits_s ?? -1) || one.number - other.number);
    const lines = [];
    const place_ = GROUPS[by.value][1];
    if (place_) {
      const groups = Map.groupBy(found, (one) => key(place_(one)));
      for (const [name, members] of groups) {
        lines.push(() => (members.length === 1 ? row(members[0]) : group(name, members)));
        if (members.length > 1 && open.has(name)) for (const one of members) lines.push(() => {
          const made = row(one);
          made.classList.add("inside");
          return made;
        });
      }
    } else for (const one of found) lines.push(() => row(one));
    for (const kept of rows.values()) kept.node.classList.remove("inside");
    refill(body, lines.slice(0, shown).map((make) => make()));
    more.hidden = lines.length <= shown;
    more.textContent = `Show ${count(Math.min(MORE, lines.length - shown))} more of ${count(lines.length)} rows`;
    words.textContent = found.length === all.length ? "" : `${count(found.length)} of ${count(all.length)} are like that.`;
  }
  for (const [input, event] of [[search, "input"], [by, "change"], [states, "change"]]) {
    input.addEventListener(event, () => {
      shown = SHOWN;
      draw();
    });
  }
  more.addEventListener("click", () => {
    shown += MORE;
    draw();
  });

  return {
    node: [table, more, words],
    tools: [el("label", { for: "greenlet-filter" }, "Filter"), search, states, el("label", { for: "greenlet-group" }, "Group by"), by],
    update(found) {
      all = found;
      const present = new Set(found.map((one) => one.number));
      for (const number of rows.keys()) if (!present.has(number)) rows.delete(number);
      draw();
    },
    chosen(number) {
      chosen = number;
      draw();
    },
  };
}
