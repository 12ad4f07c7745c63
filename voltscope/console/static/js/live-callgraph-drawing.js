// The call graph as a drawing: callers above callees. Places are kept as it changes: what moves, moves gently.

import { svg } from "/static/js/dom.js";
import { brief, share, short, still, whole } from "/static/js/live-places.js";
import { zoomable } from "/static/js/live-zoom.js";

const SIZES = [[0.6, 17], [0.3, 15], [0.1, 13], [0.03, 12], [0, 11]]; // share of the busiest's time, pixels
const LABEL = 30; // characters
const MOVE_MS = 500;
const LAYOUT_MS = 1500; // from one layout to the next at least: functions come in bursts
const POINTS = 9; // of an edge, so that every one can turn into every other

const fontOf = (total) => SIZES.find(([least]) => total >= least)[1];

/** `dagre`: the layout library. `choose(id)`: a function was pressed. */
export function drawing(dagre, choose) {
  const arrowhead = svg("marker", { id: "arrowhead", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M0 .8L8 4 0 7.2Z" }));
  const [lines, counts, boxes] = ["edges", "counts", "nodes"].map((name) => svg("g", { class: name }));
  const layer = svg("g", {}, lines, counts, boxes);
  const node = svg("svg", { class: "callgraph", role: "group", "aria-label": "Call graph. Arrow keys walk from function to function, Enter shows one; plus, minus and 0 zoom. The table has the same." }, svg("defs", {}, arrowhead), layer);
  const functions = new Map(); // by id
  const calls = new Map(); // by "caller>callee"
  const zoom = zoomable(node, layer, extent, () => heaviest()?.to ?? [0, 0]);
  let laidOut = -Infinity;
  let later = 0;
  let moving = 0;
  let chosen = null;
  let at = null; // who holds the tab stop
  let wanted = "";

  function extent() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const { to, width, height } of functions.values()) {
      if (!to) continue;
      [left, right] = [Math.min(left, to[0] - width / 2), Math.max(right, to[0] + width / 2)];
      [top, bottom] = [Math.min(top, to[1] - height / 2), Math.max(bottom, to[1] + height / 2)];
    }
    return left === Infinity ? [0, 0, 0, 0] : [left - 16, top - 16, right - left + 32, bottom - top + 32];
  }

  /** Of those that have a place, the one with the most time in all, waiting last. */
  function heaviest() {
    const weight = ({ data }) => (data.place.file ? 1 : 0) + data.total;
    let found = null;
    for (const one of functions.values()) if (one.to && (!found || weight(one) > weight(found))) found = one;
    return found;
  }

  function make(id) {
    const parts = { name: svg("text", { class: "name" }), sub: svg("text", { class: "shares" }), rect: svg("rect", { rx: 5 }), all: svg("rect", { class: "all", height: 4 }), own: svg("rect", { class: "own", height: 4 }), title: svg("title") };
    const group = svg("g", { class: "function-box", role: "button", tabindex: -1, dataset: { key: `node-${id}` } }, parts.title, parts.rect, parts.all, parts.own, parts.name, parts.sub);
    group.addEventListener("click", () => node.classList.contains("dragged") || choose(id));
    group.addEventListener("focus", () => stopAt(id));
    return { id, ...parts, group, now: null, to: null, size: 0, width: 0, height: 0, data: null };
  }

  /** What one says; true when its box is to change its size, which it does with the next layout. */
  function tell(one, data, busiest) {
    const { place, own, total } = data;
    const first = one.data === null;
    Object.assign(one, { data, mine: Math.min(1, own / busiest), share: Math.min(1, total / busiest) });
    one.sub.textContent = `${share(total)} in all, ${share(own)} own`;
    one.title.textContent = `${whole(place)}: ${share(total)} in all, ${share(own)} of its own`; // it names the button, too
    one.group.style.setProperty("--own", place.file ? `${Math.round(Math.sqrt(one.mine) * 70)}%` : "0%"); // waiting is nothing hot
    bars(one);
    one.next = place.file ? fontOf(one.share) : fontOf(0);
    // a share that hovers about a limit must not have everything laid out again and again
    return first || (one.next !== one.size && Math.abs(one.share - one.sized) > one.sized * 0.25);
  }

  function bars(one) {
    one.all.setAttribute("width", Math.max(1, (one.width - 16) * one.share));
    one.own.setAttribute("width", Math.max(0, (one.width - 16) * one.mine));
  }

  /** Its box as large as what it has to say. */
  function shape(one) {
    const { data: { place }, next: size } = one;
    const label = brief(place.function, LABEL);
    const [width, height] = [Math.max([...label].length * size * 0.61, 132) + 22, size + 38];
    Object.assign(one, { size, sized: one.share, width, height });
    for (const [key, value] of Object.entries({ x: -width / 2, y: -height / 2, width, height })) one.rect.setAttribute(key, value);
    one.name.textContent = label;
    one.name.setAttribute("style", `font-size:${size}px`);
    one.name.setAttribute("y", -height / 2 + size + 4);
    one.sub.setAttribute("y", height / 2 - 14);
    for (const bar of [one.all, one.own]) {
      bar.setAttribute("x", -width / 2 + 8);
      bar.setAttribute("y", height / 2 - 9);
    }
    one.group.classList.toggle("idle", !place.file);
    bars(one);
  }

  /** Draw what there is now; `busiest`: the largest share in all of a function, beside which sizes and colours are. */
  function update(nodes, edges, busiest) {
    let changed = false;
    const present = new Set(nodes.map(({ id }) => id));
    for (const [id, one] of functions) {
      if (present.has(id)) continue;
      one.group.remove();
      functions.delete(id);
      changed = true;
    }
    for (const data of nodes) {
      if (!functions.has(data.id)) functions.set(data.id, make(data.id));
      changed = tell(functions.get(data.id), data, busiest) || changed;
    }
    const most = Math.max(1, ...edges.map((edge) => edge.count));
    const keys = new Set();
    for (const { caller, callee, count } of edges) {
      const key = `${caller}>${callee}`;
      keys.add(key);
      if (!calls.has(key)) {
        const made = { caller, callee, path: svg("path", { "marker-end": "url(#arrowhead)" }), label: svg("text"), now: null, to: null };
        calls.set(key, made);
        changed = true;
      }
      const one = calls.get(key);
      one.count = count;
      one.path.style.strokeWidth = `${(1 + 6 * (count / most)).toFixed(1)}px`;
      one.label.textContent = short(count);
      one.label.classList.toggle("minor", count < most * 0.02);
    }
    for (const [key, one] of calls) {
      if (keys.has(key)) continue;
      one.path.remove();
      one.label.remove();
      calls.delete(key);
      changed = true;
    }
    light();
    if (!functions.has(at)) stopAt([...functions.keys()][0] ?? null);
    if (changed) soon();
  }

  function soon() {
    if (later) return;
    later = setTimeout(() => {
      later = 0;
      laidOut = performance.now();
      layout();
    }, Math.max(0, laidOut + LAYOUT_MS - performance.now()));
  }

  function layout() {
    for (const one of functions.values()) if (one.size !== one.next) shape(one);
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 26, edgesep: 18 });
    graph.setDefaultEdgeLabel(() => ({}));
    // those that have a place come first and in its order, which is where the layout begins from
    const known = [...functions.values()].sort((one, other) => (one.to?.[0] ?? Infinity) - (other.to?.[0] ?? Infinity) || one.id - other.id);
    for (const { id, width, height } of known) graph.setNode(String(id), { width, height });
    for (const { caller, callee } of calls.values()) if (caller !== callee) graph.setEdge(String(caller), String(callee), { width: 30, height: 12, labelpos: "c", weight: 1 });
    dagre.layout(graph);
    // whom somebody looks at, or else the one with the most time, stays where it is
    const anchor = functions.get(chosen)?.to ? functions.get(chosen) : heaviest();
    const fresh = anchor ? graph.node(String(anchor.id)) : null;
    const [dx, dy] = fresh ? [anchor.to[0] - fresh.x, anchor.to[1] - fresh.y] : [0, 0];
    for (const one of functions.values()) {
      const { x, y } = graph.node(String(one.id));
      one.to = [x + dx, y + dy];
      if (!one.group.isConnected) boxes.append(one.group); // shown when it has a place
    }
    for (const one of calls.values()) {
      one.to = one.caller === one.callee ? loop(functions.get(one.caller))
        : spaced(graph.edge(String(one.caller), String(one.callee)).points.map(({ x, y }) => [x + dx, y + dy]));
    }
    for (const { path, label } of calls.values()) {
      if (path.isConnected) continue;
      lines.append(path);
      counts.append(label);
    }
    zoom.grown();
    move();
  }

  function move() {
    cancelAnimationFrame(moving);
    const things = [...functions.values(), ...calls.values()];
    const from = new Map(things.filter((one) => one.now).map((one) => [one, one.now]));
    const begin = performance.now();
    const all = still() ? 0 : MOVE_MS;
    function step(time) {
      const gone = all === 0 ? 1 : Math.min(1, Math.max(0, (time - begin) / all));
      const eased = 1 - (1 - gone) ** 3;
      for (const one of things) {
        if (!one.to) continue;
        one.now = from.has(one) ? mix(from.get(one), one.to, eased) : one.to;
        put(one);
      }
      if (gone < 1) moving = requestAnimationFrame(step);
    }
    step(begin);
  }

  function put(one) {
    if (one.group) return one.group.setAttribute("transform", `translate(${one.now[0].toFixed(1)} ${one.now[1].toFixed(1)})`);
    one.path.setAttribute("d", curve(one.now));
    const [x, y] = one.now[(POINTS - 1) / 2];
    one.label.setAttribute("x", x.toFixed(1));
    one.label.setAttribute("y", (y + 4).toFixed(1));
  }

  /** What is chosen stands out with whom it calls and who calls it; what the filter leaves out steps back. */
  function light() {
    const near = new Set([chosen]);
    for (const one of calls.values()) {
      const on = one.caller === chosen || one.callee === chosen;
      if (on) near.add(one.caller).add(one.callee);
      one.path.classList.toggle("on", on);
      one.label.classList.toggle("on", on);
    }
    for (const one of functions.values()) {
      const { place } = one.data;
      const out = wanted !== "" && !`${place.function} ${place.file}`.toLowerCase().includes(wanted);
      one.group.classList.toggle("picked", one.id === chosen);
      one.group.classList.toggle("far", out || (chosen !== null && functions.has(chosen) && !near.has(one.id)));
      one.group.setAttribute("aria-pressed", String(one.id === chosen));
    }
    node.classList.toggle("choosing", chosen !== null && functions.has(chosen));
  }

  function stopAt(id) {
    functions.get(at)?.group.setAttribute("tabindex", "-1");
    at = id;
    functions.get(at)?.group.setAttribute("tabindex", "0");
  }

  /** Up: who calls it most. Down: whom it calls most. Left and right: beside it. */
  function walk(key) {
    const here = functions.get(at);
    if (!here?.to) return;
    const most = (end, other) => [...calls.values()].filter((one) => one[end] === at && one[other] !== at).sort((a, b) => b.count - a.count)[0]?.[other];
    const beside = (way) => [...functions.values()].filter((one) => one.to && Math.abs(one.to[1] - here.to[1]) < 24 && (one.to[0] - here.to[0]) * way > 0)
      .sort((a, b) => Math.abs(a.to[0] - here.to[0]) - Math.abs(b.to[0] - here.to[0]))[0]?.id;
    const next = { ArrowUp: () => most("callee", "caller"), ArrowDown: () => most("caller", "callee"), ArrowLeft: () => beside(-1), ArrowRight: () => beside(1) }[key]();
    const found = functions.get(next);
    if (!found) return;
    found.group.focus({ preventScroll: true });
    if (found.to) zoom.reveal(...found.to);
  }

  node.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.startsWith("Arrow")) walk(event.key);
    else if (event.key === "Enter" || event.key === " ") choose(at);
    else if (zoom.keys[event.key]) zoom.keys[event.key]();
    else return;
    event.preventDefault();
  });

  return {
    node, update, zoom: zoom.buttons,
    filter(text) {
      wanted = text;
      light();
    },
    chosen(id) {
      chosen = id;
      light();
      if (functions.get(id)?.to) zoom.reveal(...functions.get(id).to);
    },
    close() {
      clearTimeout(later);
      cancelAnimationFrame(moving);
      zoom.close();
    },
  };
}

const mix = (from, to, part) => (Array.isArray(to[0]) ? to.map((point, index) => mix(from[index], point, part)) : [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part]);

/** Around the right side of a function that calls itself. */
function loop({ to: [x, y], width, height }) {
  return Array.from({ length: POINTS }, (_, index) => {
    const angle = Math.PI * (index / (POINTS - 1) - 0.5);
    return [x + width / 2 + Math.cos(angle) * 22, y + Math.sin(angle) * height * 0.3];
  });
}

/** The same line through as many points as every other, as far from each other along it. */
function spaced(points) {
  const lengths = [0];
  for (let i = 1; i < points.length; i += 1) lengths.push(lengths[i - 1] + Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]));
  let i = 1;
  return Array.from({ length: POINTS }, (_, index) => {
    const along = (lengths.at(-1) * index) / (POINTS - 1);
    while (i < points.length - 1 && lengths[i] < along) i += 1;
    return mix(points[i - 1], points[i], lengths[i] === lengths[i - 1] ? 0 : (along - lengths[i - 1]) / (lengths[i] - lengths[i - 1]));
  });
}

function curve(points) {
  const say = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  const last = points.length - 1;
  let path = `M${say(points[0])}`;
  for (let i = 1; i < last; i += 1) path += `Q${say(points[i])} ${say(i === last - 1 ? points[last] : mix(points[i], points[i + 1], 0.5))}`;
  return path;
}
