// Elements made from code: text only ever becomes text, so no log line can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `attributes`: class, dataset, on (listeners), properties by name, the rest as attributes. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (value === true) node.setAttribute(key, "");
    else node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Replace what is inside `node`; the focus stays on the element with the same data-key. */
export function refill(node, ...children) {
  const key = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  if (key) node.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** A box that says what went wrong and what to do. */
export function notice(error, kind = "bad") {
  return el(
    "div",
    { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" },
    el("p", {}, error.message),
    error.remedy ? el("p", { class: "remedy" }, error.remedy) : null,
  );
}

const SHAPES = {
  // One shape a meaning: colour only repeats what the shape and the word already say.
  info: () => svg("circle", { cx: 6, cy: 6, r: 2.5 }),
  good: () => svg("circle", { cx: 6, cy: 6, r: 4.5 }),
  stopped: () => svg("rect", { x: 2, y: 2, width: 8, height: 8 }),
  bad: () => svg("path", { d: "M2.2 2.2l7.6 7.6M9.8 2.2l-7.6 7.6", class: "stroke" }),
  warning: () => svg("path", { d: "M6 1.2L11.2 10.8H.8Z" }),
  unknown: () => svg("circle", { cx: 6, cy: 6, r: 4, class: "stroke" }),
  odd: () => svg("path", { d: "M6 .8L11.2 6 6 11.2.8 6Z" }),
};

/** A state as shape and word. `kind` is one of SHAPES. */
export function mark(kind, word, title) {
  const shape = svg("svg", { viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" }, SHAPES[kind]());
  return el("span", { class: `mark ${kind}`, title }, shape, el("span", {}, word));
}
