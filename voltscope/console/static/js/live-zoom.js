// Moving about in a drawing: drag, pinch, wheel with Ctrl, keys and buttons; nothing moves unless somebody moves it.

import { el } from "/static/js/dom.js";

const STEP = 1.25;
const [LEAST, MOST] = [0.08, 4];
const [LEGIBLE, LARGEST] = [0.55, 1.15]; // between them lies what is chosen by itself

/**
 * `picture`: the svg element; `layer`: the group in it that moves; `extent()`: [x, y, width, height] of what is drawn;
 * `middle()`: [x, y] of what matters most in it. Until somebody moves it, the whole drawing is shown as it grows, or, when
 * that would be too small to read, what is about the middle.
 */
export function zoomable(picture, layer, extent, middle) {
  let [x, y, scale] = [0, 0, 1];
  let touched = false;
  const pointers = new Map();

  function apply() {
    layer.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${scale.toFixed(4)})`);
  }

  /** All of it; or, from `least` on, what is about the middle of what matters. */
  function fit(least = LEAST) {
    const [left, top, width, height] = extent();
    const { clientWidth, clientHeight } = picture;
    if (!width || !clientWidth) return;
    scale = Math.max(least, Math.min(LARGEST, clientWidth / width, clientHeight / height));
    const [cx, cy] = middle();
    const along = (size, from, length, at) => (length * scale <= size ? (size - length * scale) / 2 - from * scale
      : Math.min(-from * scale, Math.max(size - (from + length) * scale, size / 2 - at * scale)));
    x = along(clientWidth, left, width, cx);
    y = along(clientHeight, top, height, cy);
    apply();
  }

  function zoom(factor, cx = picture.clientWidth / 2, cy = picture.clientHeight / 2) {
    const next = Math.max(LEAST, Math.min(MOST, scale * factor));
    x = cx - ((cx - x) * next) / scale;
    y = cy - ((cy - y) * next) / scale;
    scale = next;
    touched = true;
    apply();
  }

  function pan(dx, dy) {
    x += dx;
    y += dy;
    touched = true;
    apply();
  }

  const place = (event) => {
    const box = picture.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [[ax, ay], [bx, by]] = [...pointers.values()];
    return [Math.hypot(ax - bx, ay - by), (ax + bx) / 2, (ay + by) / 2];
  };

  picture.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), ...place(event));
  }, { passive: false });
  picture.addEventListener("pointerdown", (event) => pointers.set(event.pointerId, place(event)));
  picture.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    if (pointers.size === 2) {
      const [wide] = spread();
      pointers.set(event.pointerId, now);
      const [next, cx, cy] = spread();
      if (wide > 0) zoom(next / wide, cx, cy);
    } else if (Math.hypot(now[0] - before[0], now[1] - before[1]) > 3 || picture.classList.contains("dragged")) {
      picture.classList.add("dragged"); // a click begins with a pointer that hardly moves
      picture.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, now);
      pan(now[0] - before[0], now[1] - before[1]);
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    picture.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      setTimeout(() => picture.classList.remove("dragged")); // after the click that a drag ends with
    });
  }

  function whole() {
    touched = false;
    fit();
    const [, , width, height] = extent();
    touched = Math.min(picture.clientWidth / width, picture.clientHeight / height) < LEGIBLE; // it stays as it was asked for
  }
  const button = (words, name, act) => el("button", { type: "button", class: "small", "aria-label": name, on: { click: act } }, words);
  const size = new ResizeObserver(() => touched || fit(LEGIBLE));
  size.observe(picture);
  return {
    buttons: el("span", { class: "zoom", role: "group", "aria-label": "Zoom" },
      button("−", "Smaller", () => zoom(1 / STEP)), button("+", "Larger", () => zoom(STEP)), button("Fit", "Fit the whole drawing", whole)),
    /** What is drawn has changed. */
    grown: () => touched || fit(LEGIBLE),
    /** Bring a place of the drawing into sight. */
    reveal(px, py) {
      const [sx, sy] = [px * scale + x, py * scale + y];
      const [dx, dy] = [Math.max(60 - sx, 0) + Math.min(picture.clientWidth - 60 - sx, 0), Math.max(40 - sy, 0) + Math.min(picture.clientHeight - 40 - sy, 0)];
      if (dx || dy) pan(dx, dy);
    },
    keys: { "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), 0: whole },
    close: () => size.disconnect(),
  };
}
