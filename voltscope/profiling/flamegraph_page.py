"""The style and the script that live inside a flamegraph's SVG: zoom, search, details, any width, light and dark."""

STYLE = """
svg { --bg: #ffffff; --fg: #1c1917; --dim: #6b645e; --line: #d6d3d1; --field: #fafaf9; background: var(--bg); }
@media (prefers-color-scheme: dark) {
  svg { --bg: #171412; --fg: #f5f5f4; --dim: #a8a29e; --line: #44403c; --field: #221e1b; }
}
text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--fg); }
.head text { font-family: system-ui, "DejaVu Sans", sans-serif; font-size: 13px; fill: var(--dim); }
.head text.agent { font-size: 20px; font-weight: 600; fill: var(--fg); }
.head text.words { fill: var(--fg); }
.tools { font: 13px system-ui, "DejaVu Sans", sans-serif; color: var(--dim); display: flex; gap: 8px;
  align-items: center; margin: 0; }
.tools input { font: inherit; color: var(--fg); background: var(--field); border: 1px solid var(--line);
  border-radius: 6px; padding: 5px 9px; width: 200px; min-width: 0; }
.tools button { font: inherit; color: var(--fg); background: var(--field); border: 1px solid var(--line);
  border-radius: 6px; padding: 5px 10px; cursor: pointer; white-space: nowrap; }
.tools button[hidden] { display: none; }
.detail { font-size: 12px; }
.f { cursor: pointer; }
.f rect { rx: 2px; }
.f text { fill: #241a12; pointer-events: none; }
.f:hover rect { stroke: var(--fg); stroke-width: 1.2px; }
.above { opacity: 0.55; }
.searching .f { opacity: 0.4; }
.searching .f.hit { opacity: 1; }
.f.hit rect { fill: #b794f6; }
.none { fill: var(--field); stroke: var(--line); stroke-dasharray: 5 4; }
"""

# Plain script, no external resources, no dialogs (the page is served sandboxed); text goes in as text only.
SCRIPT = """
(function () {
  "use strict";
  var svg = document.currentScript.ownerSVGElement;
  var chart = svg.querySelector(".chart"), detail = svg.querySelector(".detail");
  var tools = svg.querySelector("foreignObject"), found = svg.querySelector(".found");
  var input = svg.querySelector("input"), reset = svg.querySelector("button");
  var pad = +svg.dataset.pad, row = +svg.dataset.row, total = +svg.dataset.total, depth = +svg.dataset.depth;
  var frames = Array.prototype.map.call(svg.querySelectorAll(".f"), function (g) {
    var said = g.querySelector("title").textContent;
    return { g: g, rect: g.querySelector("rect"), text: g.querySelector("text"), x: +g.dataset.x, w: +g.dataset.w,
      d: +g.dataset.d, name: said.split("\\n")[0], said: said.split("\\n").join("  ·  ") };
  });
  frames.forEach(function (f) { f.g.frame = f; });
  var zoomed = frames[0] || null, letter = 7.23, width = 1200;

  function shortened(name, room) {
    var most = Math.floor(room / letter);
    if (most < 3) return "";
    return name.length <= most ? name : name.slice(0, most - 1) + "\\u2026";
  }

  function wrap(text, room) {
    var words = text.dataset.full.split(" "), lines = [""];
    text.textContent = "";
    var probe = document.createElementNS(svg.namespaceURI, "tspan");
    text.appendChild(probe);
    words.forEach(function (word) {
      var last = lines.length - 1, longer = lines[last] ? lines[last] + " " + word : word;
      probe.textContent = longer;
      if (lines[last] && probe.getComputedTextLength() > room) lines.push(word); else lines[last] = longer;
    });
    text.textContent = "";
    lines.forEach(function (line, at) {
      var span = document.createElementNS(svg.namespaceURI, "tspan");
      span.textContent = line;
      span.setAttribute("x", pad);
      if (at) span.setAttribute("dy", 18);
      text.appendChild(span);
    });
    return lines.length;
  }

  function head() {
    var y = pad + 18;
    svg.querySelectorAll(".head text").forEach(function (text) {
      text.setAttribute("y", y);
      y += 18 * wrap(text, width - 2 * pad) + (text.classList.contains("agent") ? 6 : 1);
    });
    tools.setAttribute("y", y - 6);
    tools.setAttribute("width", width - 2 * pad);
    detail.setAttribute("y", y + 48);
    chart.setAttribute("transform", "translate(0 " + (y + 60) + ")");
    svg.setAttribute("height", y + 60 + depth * row + pad);
  }

  function draw() {
    var scale = (width - 2 * pad) / (zoomed ? zoomed.w : 1);
    frames.forEach(function (f) {
      var above = f.d < zoomed.d && f.x <= zoomed.x && f.x + f.w >= zoomed.x + zoomed.w;
      var inside = f.d >= zoomed.d && f.x >= zoomed.x && f.x + f.w <= zoomed.x + zoomed.w;
      var w = above ? width - 2 * pad : f.w * scale;
      if (!(above || inside) || w < 0.4) { f.g.style.display = "none"; return; }
      var x = above ? pad : pad + (f.x - zoomed.x) * scale;
      f.g.style.display = "";
      f.g.classList.toggle("above", above);
      f.rect.setAttribute("x", x.toFixed(2));
      f.rect.setAttribute("width", (w > 3 ? w - 1 : w).toFixed(2));
      f.text.setAttribute("x", (x + 5).toFixed(2));
      f.text.textContent = shortened(f.name, w - 9);
    });
    reset.hidden = !zoomed || zoomed.d === 0;
  }

  function layout() {
    width = Math.max(280, document.documentElement.clientWidth || window.innerWidth || 1200);
    head();
    draw();
  }

  function tell(f) {
    detail.textContent = shortened(f ? f.said : detail.dataset.full, width - 2 * pad);
  }

  function search() {
    var term = input.value.toLowerCase(), sum = 0, end = -1;
    chart.classList.toggle("searching", term !== "");
    frames.forEach(function (f) {
      var hit = term !== "" && f.name.toLowerCase().indexOf(term) >= 0;
      f.g.classList.toggle("hit", hit);
      // frames come parents first, left to right: what lies inside a counted frame is counted
      if (hit && f.x >= end) { sum += f.w; end = f.x + f.w; }
    });
    found.textContent = term === "" ? "" : (total ? (100 * sum / total).toFixed(1) : "0") + " % matched";
  }

  function frameOf(event) {
    var g = event.target.closest ? event.target.closest(".f") : null;
    return g ? g.frame : null;
  }

  svg.setAttribute("width", "100%");
  var sample = svg.querySelector(".f text");
  if (sample) {
    sample.textContent = "MMMMMMMMMMMMMMMMMMMM";
    letter = sample.getComputedTextLength() / 20 || letter;
  }
  chart.addEventListener("mouseover", function (event) { tell(frameOf(event)); });
  chart.addEventListener("mouseleave", function () { tell(zoomed && zoomed.d ? zoomed : null); });
  chart.addEventListener("click", function (event) {
    var f = frameOf(event);
    if (f) { zoomed = f; draw(); tell(f); }
  });
  reset.addEventListener("click", function () { zoomed = frames[0]; draw(); tell(null); });
  input.addEventListener("input", search);
  window.addEventListener("keydown", function (event) {
    if (event.key === "Escape") {
      input.value = ""; search(); input.blur();
      if (frames.length) { zoomed = frames[0]; draw(); tell(null); }
    } else if (event.key === "/" && document.activeElement !== input) { event.preventDefault(); input.focus(); }
  });
  window.addEventListener("resize", layout);
  tools.style.display = total ? "" : "none";
  layout();
  tell(null);
}());
"""
