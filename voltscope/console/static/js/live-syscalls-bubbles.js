// System calls as circles that grow while they are busy and shrink when they are quiet, and stay near their place.

import { svg } from "/static/js/dom.js";
import { brief, short, span, still } from "/static/js/live-places.js";

const GAP = 3;
const SMALLEST = 9; // pixels: one that was called once is still there
const FILL = 0.55; // of the picture that circles may take together
const EASE = 0.12; // of the way to its size a frame
const TURNS = 260; // of settling at once, where nothing may move

/** `choose(name)`: a circle was pressed. */
export function bubbles(choose) {
  const layer = svg("g", {});
  const node = svg("svg", { class: "bubbles", role: "group", "aria-label": "System calls, the busier the larger. The table has the same." }, layer);
  const circles = new Map(); // by name
  let moving = 0;
  let [width, height] = [0, 0];

  function make(name) {
    const parts = { disc: svg("circle", { class: "disc" }), errors: svg("circle", { class: "errors", fill: "none" }), name: svg("text", { class: "name" }), rate: svg("text", { class: "rate" }), time: svg("text", { class: "rate" }), title: svg("title") };
    const group = svg("g", { class: "bubble", tabindex: 0, role: "button", dataset: { name: brief(name) } }, parts.title, parts.disc, parts.errors, parts.name, parts.rate, parts.time);
    group.addEventListener("click", () => choose(name));
    group.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), choose(name)));
    layer.append(group);
    // a spiral from the middle: no two begin at the same place
    const turn = circles.size * 2.39996;
    const out = 14 * Math.sqrt(circles.size);
    return { key: name, group, ...parts, x: Math.cos(turn) * out * 1.6, y: Math.sin(turn) * out, radius: 0, goal: 0, weight: 0 };
  }

  function update(calls) {
    const names = new Set(calls.map(({ name }) => name));
    for (const [name, one] of circles) {
      if (names.has(name)) continue;
      one.group.remove();
      circles.delete(name);
    }
    for (const call of calls) {
      if (!circles.has(call.name)) circles.set(call.name, make(call.name));
      const one = circles.get(call.name);
      one.weight = one.call ? one.weight * 0.6 + call.recent * 0.4 : call.recent; // one busy moment is no busy call
      one.call = call;
    }
    measure();
    for (const one of circles.values()) tell(one);
    move();
  }

  function measure() {
    [width, height] = [node.clientWidth || 600, node.clientHeight || 400];
    const all = [...circles.values()].reduce((sum, one) => sum + one.weight, 0) || 1;
    const room = Math.max(0, width * height * FILL - circles.size * Math.PI * (SMALLEST + GAP) ** 2);
    const largest = Math.min(width, height) * 0.36;
    for (const one of circles.values()) one.goal = Math.min(largest, SMALLEST + Math.sqrt((room * one.weight) / all / Math.PI) * 0.92);
  }

  function tell(one) {
    const { call } = one;
    const failing = call.errors ? Math.min(1, call.errors / Math.max(1, call.count)) : 0;
    const mean = call.seconds === null || call.count === 0 ? null : call.seconds / call.count;
    const parts = [`${short(call.recent)} a second`, `${short(call.count)} in all`];
    if (call.errors !== null) parts.push(`${short(call.errors)} errors`);
    if (mean !== null) parts.push(`${span(mean)} each`);
    one.label = brief(call.name, 24);
    one.words = `${brief(call.name)}: ${parts.join(", ")}`;
    one.title.textContent = one.words; // it names the button, too
    one.group.classList.toggle("quiet", call.recent === 0);
    one.failing = failing;
    one.rate.textContent = `${short(call.recent)}/s`;
    one.time.textContent = mean === null ? "" : span(mean);
    // from 1 µs to 1 s, by its logarithm
    one.group.style.setProperty("--slow", mean === null ? "0%" : `${Math.round(Math.max(0, Math.min(1, (Math.log10(Math.max(mean, 1e-6)) + 6) / 6)) * 100)}%`);
  }

  /** One step towards sizes and places; how far the farthest still has to go. */
  function settle(ease) {
    const all = [...circles.values()];
    let farthest = 0;
    for (const one of all) {
      const grow = (one.goal - one.radius) * ease;
      one.radius += grow;
      one.x *= 1 - 0.012;
      one.y *= 1 - 0.02; // the picture is wider than high
      farthest = Math.max(farthest, Math.abs(one.goal - one.radius) / 4);
    }
    for (let turn = 0; turn < 6; turn += 1) {
      for (let i = 0; i < all.length; i += 1) {
        for (let j = i + 1; j < all.length; j += 1) {
          const [a, b] = [all[i], all[j]];
          let [dx, dy] = [b.x - a.x, b.y - a.y];
          let apart = Math.hypot(dx, dy);
          const need = a.radius + b.radius + GAP;
          if (apart >= need) continue;
          if (apart < 0.01) [dx, dy, apart] = [0.1 * (j + 1), 0.1, 0.15];
          const push = (need - apart) / apart;
          const heavy = b.radius ** 2 / (a.radius ** 2 + b.radius ** 2 || 1); // the larger gives way less
          a.x -= dx * push * heavy;
          a.y -= dy * push * heavy;
          b.x += dx * push * (1 - heavy);
          b.y += dy * push * (1 - heavy);
        }
      }
      for (const one of all) {
        const [wide, high] = [width / 2 - one.radius - 2, height / 2 - one.radius - 2];
        one.x = Math.max(-wide, Math.min(wide, one.x));
        one.y = Math.max(-high, Math.min(high, one.y));
      }
    }
    return farthest;
  }

  function move() {
    if (still()) {
      cancelAnimationFrame(moving);
      for (let turn = 0; turn < TURNS; turn += 1) settle(0.3);
      for (const one of circles.values()) put(one);
      return;
    }
    if (moving) return;
    let quiet = 0;
    function step() {
      quiet = settle(EASE) < 0.05 ? quiet + 1 : 0;
      for (const one of circles.values()) put(one);
      moving = quiet < 120 ? requestAnimationFrame(step) : 0; // two seconds to come to rest
    }
    moving = requestAnimationFrame(step);
  }

  function put(one) {
    const { radius } = one;
    one.group.setAttribute("transform", `translate(${(one.x + width / 2).toFixed(1)} ${(one.y + height / 2).toFixed(1)})`);
    one.disc.setAttribute("r", radius.toFixed(1));
    const ring = Math.max(1, radius - 3);
    const around = 2 * Math.PI * ring;
    one.errors.setAttribute("r", ring.toFixed(1));
    one.errors.setAttribute("stroke-dasharray", `${(around * one.failing).toFixed(1)} ${around.toFixed(1)}`);
    one.errors.style.visibility = one.failing > 0 ? "visible" : "hidden";
    const told = radius > 33;
    const size = Math.max(told ? 7.5 : 0, Math.min(18, (radius * 3) / Math.max(4, one.label.length)));
    const named = size >= 8.5 || told;
    one.name.textContent = named ? one.label : "";
    one.name.setAttribute("style", `font-size:${size.toFixed(1)}px`);
    one.name.setAttribute("y", told ? -4 : size * 0.35);
    one.rate.style.visibility = one.time.style.visibility = told ? "visible" : "hidden";
    one.rate.setAttribute("y", 12);
    one.time.setAttribute("y", 26);
  }

  const size = new ResizeObserver(() => {
    measure();
    if (circles.size) move();
  });
  size.observe(node);
  return {
    node, update,
    chosen(name) {
      for (const one of circles.values()) one.group.classList.toggle("picked", one.key === name);
    },
    close() {
      size.disconnect();
      cancelAnimationFrame(moving);
    },
  };
}
