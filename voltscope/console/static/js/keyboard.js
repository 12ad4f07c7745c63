// The keyboard, on every page: keys that lead somewhere, arrows that walk through rows, and the list of all of it.

import { el } from "/static/js/dom.js";
import { PAGES } from "/static/js/pages.js";

const PREFIX = "g";
const PREFIX_MS = 1500; // from `g` to the letter that follows
const KEPT = "voltscope-letters";
const TYPED_IN = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const SEARCH = "main [data-search], main input[type=search], main #q";
// What is walked through, and what of a row takes the focus.
const ROWS = "tbody tr, .records > li, .others > li, .saved > li";
const STOPS = "a[href], button:not(:disabled), input:not(:disabled), summary";

const letters = {
  on() {
    try {
      return localStorage.getItem(KEPT) !== "off";
    } catch {
      return true; // storage may be blocked
    }
  },
  set(on) {
    try {
      localStorage.setItem(KEPT, on ? "on" : "off");
    } catch {
      // then it lasts as long as the dialog
    }
  },
};

/** Listens from now on; `go(path)` leads to a page. `open()` of what it answers shows the list. */
export function keyboard(go) {
  const help = list();
  let prefixed = 0;

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (walk(event) || event.target.closest?.(TYPED_IN) || document.querySelector("dialog[open]") || !letters.on()) return;
    const waits = event.timeStamp - prefixed < PREFIX_MS && prefixed > 0;
    prefixed = 0;
    const page = waits && PAGES.find(({ key }) => key === event.key);
    if (page) go(page.path);
    else if (event.key === PREFIX) prefixed = event.timeStamp;
    else if (event.key === "/") focusSearch();
    else if (event.key === "?") help.open();
    else return;
    event.preventDefault();
  });
  return help;
}

function focusSearch() {
  const field = [...document.querySelectorAll(SEARCH)].find((one) => one.offsetParent !== null);
  field?.focus();
  field?.select?.();
}

/** Up and down, Home and End: the same thing in another row. */
function walk(event) {
  const steps = { ArrowUp: (at) => at - 1, ArrowDown: (at) => at + 1, Home: () => 0, End: (_, last) => last };
  const row = event.target.closest?.(ROWS);
  if (!row || !(event.key in steps) || event.shiftKey || event.target.matches(TYPED_IN)) return false;
  const stops = (one) => [...one.querySelectorAll(STOPS)].filter((stop) => stop.offsetParent !== null);
  const rows = [...row.parentElement.children].filter((one) => one === row || stops(one).length > 0);
  const next = rows[steps[event.key](rows.indexOf(row), rows.length - 1)];
  const place = stops(row).indexOf(event.target);
  if (!next || place < 0 || (event.target.tagName !== "SUMMARY" && row.querySelector(":scope details[open]"))) return false;
  const there = stops(next);
  event.preventDefault();
  there[Math.min(place, there.length - 1)].focus();
  return true;
}

function list() {
  const tick = el("input", { type: "checkbox", id: "letters" });
  const close = el("button", { type: "submit", class: "primary" }, "Close");
  const keys = (...names) => names.flatMap((name, index) => [index ? " " : "", el("kbd", {}, name)]);
  const rows = [
    [keys("?"), "This list"],
    [keys("/"), "Search in this page"],
    ...PAGES.map(({ key, name }) => [keys(PREFIX, key), name]),
    [keys("Esc"), "Close what is open, undo a choice"],
    [keys("↑", "↓"), "In a table or list: the same thing in the next row; Home and End the first and last"],
    [keys("←", "→"), "In a plot or over bars: another time; Shift chooses a span, Enter looks closer at it"],
    [keys("Tab"), "On to what can be pressed; first of all comes a link past the header"],
  ];
  const dialog = el("dialog", { class: "keys", "aria-labelledby": "keys-title" },
    el("form", { method: "dialog" },
      el("h2", { id: "keys-title" }, "Keyboard"),
      el("dl", {}, rows.flatMap(([name, what]) => [el("dt", {}, name), el("dd", {}, what)])),
      el("label", { class: "tick" }, tick, el("span", {}, "Single keys do this (not Esc, arrows and Tab, which always do)")),
      el("div", { class: "dialog-end" }, close)));
  tick.addEventListener("change", () => letters.set(tick.checked));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // the ground behind it
  document.body.append(dialog);
  return {
    open() {
      tick.checked = letters.on();
      dialog.showModal();
      close.focus();
    },
  };
}
