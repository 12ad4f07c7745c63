// A flame graph that grows while one looks at it: roots above, each below who called it, the wider the longer.

import { el, svg } from "/static/js/dom.js";
import { count } from "/static/js/format.js";
import { brief, legend, origin, share } from "/static/js/live-places.js";

const ROW = 19;
const NARROWEST = 2; // pixels: what is narrower is not drawn
const MOST = 1500; // boxes drawn: the widest
const DEEPEST = 60;
const LETTER = 6.4; // pixels of a letter, about
const HOW = "Click a frame to look at it alone, or walk with the arrow keys and press Enter.";

/** A frame as folded stacks have it: `name (file:line)`, or a name alone. */
export function parse(text) {
  const found = /^(.*) \(([^()]*?)(?::(\d+))?\)$/s.exec(text);
  return found ? { function: found[1], file: found[2], line: Number(found[3] ?? 0) } : { function: text, file: "", line: 0 };
}

function grow(folded) {
  const root = { name: "all", value: 0, own: 0, children: new Map(), parent: null };
  for (const [stack, samples] of Object.entries(folded)) {
    let at = root;
    root.value += samples;
    for (const name of stack.split(";").slice(0, DEEPEST)) {
      if (!at.children.has(name)) at.children.set(name, { name, value: 0, own: 0, children: new Map(), parent: at });
      at = at.children.get(name);
      at.value += samples;
    }
    at.own += samples;
  }
  return root;
}

const pathOf = (one) => (one.parent ? [...pathOf(one.parent), one.name] : []);
const sorted = (one) => [...one.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1)); // by name: places stay

/** `node`; `update(folded)`; `source(place)` when a frame is opened a second time. */
export function flame(source) {
  const search = el("input", { id: "flame-search", type: "search", placeholder: "Function or file", autocomplete: "off" });
  const out = el("button", { type: "button", class: "small", on: { click: () => zoom([]) } }, "Whole graph");
  const words = el("p", { class: "hint flame-words", role: "status" }, HOW);
  const picture = svg("svg", { class: "flame", role: "group", "aria-label": "Flame graph. Arrow keys walk from frame to frame, Enter looks at one alone.", tabindex: 0 });
  const frame = el("div", { class: "picture-frame" }, picture);
  let root = grow({});
  let zoomed = []; // names from the root
  let at = []; // likewise: the one the keys are at
  let [wanted, found] = ["", 0];
  out.hidden = true;

  function find(path) {
    let one = root;
    for (const name of path) {
      if (!one.children.has(name)) return null;
      one = one.children.get(name);
    }
    return one;
  }

  function say(one) {
    const place = parse(one.name);
    const where = place.file ? ` (${brief(place.file, 120)}${place.line ? `:${place.line}` : ""})` : "";
    words.textContent = one === root ? `${count(root.value)} samples. ${HOW}` : `${brief(place.function, 120)}${where}: ${share(one.value / (root.value || 1))} of all, ${share(one.own / (root.value || 1))} waits or runs right there; ${count(one.value)} samples`;
  }

  function zoom(path) {
    zoomed = at = path;
    draw();
    say(find(path) ?? root);
  }

  function draw() {
    let top = find(zoomed);
    while (!top) {
      zoomed = zoomed.slice(0, -1);
      top = find(zoomed);
    }
    out.hidden = zoomed.length === 0;
    const width = frame.clientWidth || 800;
    const boxes = [];
    let deepest = 0;
    const put = (one, depth, x, wide) => {
      boxes.push([one, depth, x, wide]);
      deepest = Math.max(deepest, depth);
    };
    const way = [];
    for (let one = top.parent; one; one = one.parent) way.unshift(one);
    way.forEach((one, depth) => put(one, depth, 0, width));
    (function below(one, depth, x, wide) {
      put(one, depth, x, wide);
      let left = x;
      for (const child of sorted(one)) {
        const part = (wide * child.value) / (one.value || 1);
        if (part >= NARROWEST) below(child, depth + 1, left, part);
        left += part;
      }
    })(top, way.length, 0, width);
    const shown = boxes.length > MOST ? boxes.sort((a, b) => b[3] - a[3]).slice(0, MOST) : boxes;
    found = 0;
    picture.setAttribute("height", (deepest + 1) * ROW + 2);
    picture.replaceChildren(...shown.map(([one, depth, x, wide]) => box(one, depth, x, wide, depth < way.length)));
    if (wanted) words.textContent = found ? `${share(Math.min(1, found / (root.value || 1)))} of all samples have it.` : "No frame is called so.";
  }

  const hits = (one) => wanted !== "" && one.name.toLowerCase().includes(wanted);
  const within = (one) => one.parent !== null && (hits(one.parent) || within(one.parent));

  function box(one, depth, x, wide, above) {
    const place = parse(one.name);
    const hit = hits(one);
    if (hit && !within(one)) found += one.value;
    const room = Math.floor((wide - 8) / LETTER);
    const path = pathOf(one);
    const current = path.length === at.length && path.every((name, index) => name === at[index]);
    const kind = one === root ? "root" : place.file ? origin(place.file) : "mark";
    const group = svg("g", { class: `flame-box is-${kind}${hit ? " hit" : ""}${above ? " above" : ""}${current ? " at" : ""}`, transform: `translate(${x.toFixed(1)} ${depth * ROW})` },
      svg("rect", { width: Math.max(1, wide - 1).toFixed(1), height: ROW - 1, rx: 2 }),
      room >= 3 ? svg("text", { x: 4, y: 13 }, brief(one === root ? `all, ${count(root.value)} samples` : place.function, room)) : null);
    group.addEventListener("click", () => (current && zoomed.length === path.length ? open(one) : zoom(path)));
    group.addEventListener("pointerenter", () => say(one));
    return group;
  }

  function open(one) {
    const place = parse(one.name);
    if (place.line) source(place);
  }

  picture.addEventListener("keydown", (event) => {
    const here = find(at) ?? root;
    const brothers = here.parent ? sorted(here.parent) : [here];
    const beside = (step) => brothers[brothers.indexOf(here) + step];
    const widest = [...here.children.values()].sort((a, b) => b.value - a.value)[0];
    const next = { ArrowUp: here.parent, ArrowDown: widest, ArrowLeft: beside(-1), ArrowRight: beside(1) };
    if (event.key in next) {
      if (next[event.key]) at = pathOf(next[event.key]);
      draw();
      say(find(at) ?? root);
    } else if (event.key === "Enter") (at.length === zoomed.length && at.length ? open(here) : zoom(at));
    else if (event.key === "Escape") zoom([]);
    else return;
    event.preventDefault();
  });
  search.addEventListener("input", () => {
    wanted = search.value.trim().toLowerCase();
    draw();
    if (!wanted) say(find(at) ?? root);
  });
  const size = new ResizeObserver(() => draw());
  size.observe(frame);

  return {
    tools: [el("label", { for: "flame-search" }, "Search"), search, out],
    node: el("div", {}, frame, words, legend(["is-own", "the agent's own"], ["is-volttron", "VOLTTRON's"], ["is-library", "of libraries"], ["is-gevent", "gevent's"], ["is-python", "Python's own"])),
    update(folded) {
      root = grow(folded);
      draw();
      if (words.textContent === HOW || at.length === 0) wanted || say(root);
    },
    close: () => size.disconnect(),
  };
}
