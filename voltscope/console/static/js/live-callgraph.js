// The call graph view: the drawing, the function that is looked at, and a table of the same for who cannot see it.

import { el, notice, refill } from "/static/js/dom.js";
import { count, duration } from "/static/js/format.js";
import { select } from "/static/js/flamegraphs-pictures.js";
import { drawing } from "/static/js/live-callgraph-drawing.js";
import { brief, frame, legend, paced, share, short, where } from "/static/js/live-places.js";

const DRAWN = 60; // functions: more of them nobody reads
const ROWS = 40;
const OF_BUSIEST = 0.02; // an agent that mostly waits is drawn as large as one that never does
const LEAST = [["", "2 % of the busiest"], ["0", "All"], ["0.001", "0.1 %"], ["0.01", "1 %"], ["0.05", "5 %"]];
const TABLE_MS = 1000;
/** A view: `node`, `update(document)`, `close()`. */
export function callGraph({ source, user }) {
  const search = el("input", { id: "graph-filter", type: "search", placeholder: "Function or file", autocomplete: "off" });
  const least = select("graph-least", LEAST, "");
  const words = el("p", { class: "hint", role: "status" }, "Waiting for the first samples…");
  const picture = el("div", { class: "picture-frame" });
  const zoom = el("span", { class: "zoom-place" });
  const panel = el("section", { class: "panel chosen", "aria-label": "The function chosen", "aria-live": "polite" });
  const body = el("tbody", {});
  const tableWords = el("p", { class: "hint" });
  const node = el("div", { class: "view callgraph-view" },
    el("section", { class: "panel", "aria-label": "Call graph" },
      el("div", { class: "table-tools" }, el("label", { for: "graph-filter" }, "Filter"), search, el("label", { for: "graph-least" }, "With at least"), least, zoom),
      picture,
      legend(["heat", "the stronger the colour, the more time of its own, beside the busiest; the larger, the more in all; the thicker a line, the more calls"])),
    words, panel,
    el("section", { class: "panel functions" }, el("h2", { id: "graph-table" }, "Functions"),
      el("table", { "aria-labelledby": "graph-table" },
        el("thead", {}, el("tr", {}, [["Function"], ["In all", "num"], ["Own", "num"], ["Called by", "num"], ["Calls", "num"]].map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))), body), tableWords));
  let graph = null;
  let drawn = null;
  let chosen = null;
  const kept = new Set(); // in the drawing: one that falls a little below the limit stays
  const table = paced(drawTable, TABLE_MS);
  const draw = paced(() => {
    if (!graph) return;
    drawPicture();
    const said = graph.unit === "calls" ? "calls are counted" : `of ${count(graph.samples)} samples`;
    words.textContent = `${count(graph.nodes.length)} functions in ${duration(graph.seconds)}, ${said}.${kept.size < graph.nodes.length && drawn ? ` Drawn are the ${count(kept.size)} with the most.` : ""}${graph.left_out ? ` ${count(graph.left_out)} more with less time are left out.` : ""}`;
    drawPanel();
    table();
  });

  if (user.dagre.available) {
    import("/static/vendor/dagre/dagre.esm.js").then(({ default: dagre }) => {
      drawn = drawing(dagre, choose);
      refill(picture, drawn.node);
      refill(zoom, drawn.zoom);
      draw();
    }, () => refill(picture, notice({ message: "The layout library could not be loaded: the table below has all of it." })));
  } else refill(picture, notice({ message: "The graph cannot be drawn: the table below has all of it.", remedy: user.dagre.reason }, "warning"));

  function drawPicture() {
    if (!drawn) return;
    const busiest = Math.max(1e-6, ...graph.nodes.filter((one) => one.place.file).map((one) => one.total));
    const limit = least.value === "" ? busiest * OF_BUSIEST : Number(least.value);
    const found = graph.nodes.filter((one) => one.total >= limit || one.id === chosen || (kept.has(one.id) && one.total >= limit * 0.6))
      .sort((one, other) => other.total - one.total).slice(0, DRAWN);
    kept.clear();
    for (const one of found) kept.add(one.id);
    drawn.update(found, graph.edges.filter((edge) => kept.has(edge.caller) && kept.has(edge.callee)), busiest);
  }

  const matching = () => {
    const wanted = search.value.trim().toLowerCase();
    return graph.nodes.filter(({ place }) => !wanted || `${place.function} ${place.file}`.toLowerCase().includes(wanted));
  };
  const sum = (edges) => edges.reduce((all, edge) => all + edge.count, 0);

  function drawTable() {
    if (!graph) return;
    const [callers, callees] = [Map.groupBy(graph.edges, (edge) => edge.callee), Map.groupBy(graph.edges, (edge) => edge.caller)];
    const found = matching().sort((one, other) => other.total - one.total || other.own - one.own);
    refill(body, found.slice(0, ROWS).map((one) => {
      const pick = el("button", { type: "button", class: "frame-link", dataset: { key: `row-${one.id}` }, on: { click: () => choose(one.id) } },
        el("span", { class: "function" }, brief(one.place.function)), el("span", { class: "sub" }, where(one.place)));
      const cell = (label, text) => el("td", { class: "num", dataset: { label } }, text);
      return el("tr", { class: one.id === chosen ? "current" : null }, el("th", { scope: "row" }, pick),
        cell("In all", share(one.total)), cell("Own", share(one.own)),
        cell("Called by", short(sum(callers.get(one.id) ?? []))), cell("Calls", short(sum(callees.get(one.id) ?? []))));
    }));
    tableWords.textContent = found.length > ROWS ? `${count(found.length - ROWS)} more: filter to find them.` : found.length ? "" : "No function is called so.";
  }

  function choose(id) {
    chosen = chosen === id ? null : id;
    const one = graph.nodes.find((each) => each.id === chosen);
    if (one?.place.file) source(one.place);
    draw();
    drawn?.chosen(chosen);
    table.stop();
    drawTable();
  }

  function drawPanel() {
    const one = graph.nodes.find((each) => each.id === chosen);
    if (!one) return panel.hasChildNodes() && refill(panel);
    const names = new Map(graph.nodes.map((each) => [each.id, each]));
    const list = (words_, end, other) => {
      const edges = graph.edges.filter((edge) => edge[end] === chosen).sort((a, b) => b.count - a.count).slice(0, 12);
      return el("div", {}, el("h3", {}, words_), edges.length === 0 ? el("p", { class: "hint" }, "None was seen.") : el("ul", { class: "neighbours" }, edges.map((edge) => {
        const neighbour = names.get(edge[other]);
        return el("li", {}, el("span", { class: "num" }, count(edge.count)),
          neighbour ? el("button", { type: "button", class: "frame-link", dataset: { key: `${end}-${edge[other]}` }, on: { click: () => choose(edge[other]) } },
            el("span", { class: "function" }, brief(neighbour.place.function)), el("span", { class: "sub" }, share(neighbour.total))) : el("span", { class: "hint" }, "left out"));
      })));
    };
    refill(panel,
      el("div", { class: "chosen-head" }, frame(one.place, source, "chosen"),
        el("span", {}, `${share(one.total)} in all, ${share(one.own)} of its own`)),
      el("div", { class: "columns" }, list("Called by", "callee", "caller"), list("Calls", "caller", "callee")),
      el("p", { class: "hint" }, graph.unit === "calls" ? "Numbers are calls." : "Numbers are samples that showed the call."));
  }

  search.addEventListener("input", () => {
    drawn?.filter(search.value.trim().toLowerCase());
    drawTable();
  });
  least.addEventListener("change", draw);

  return {
    node,
    update(document) {
      graph = document;
      if (chosen !== null && !graph.nodes.some(({ id }) => id === chosen)) chosen = null;
      draw();
    },
    close() {
      draw.stop();
      table.stop();
      drawn?.close();
    },
  };
}
