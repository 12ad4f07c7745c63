// The greenlets view: who waits where and for how long, where time goes by greenlet, and what held the hub.

import { post, query } from "/static/js/api.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { count, duration } from "/static/js/format.js";
import { flame } from "/static/js/live-flame.js";
import { greenletTable } from "/static/js/live-greenlets-table.js";
import { brief, frames, origin, paced, same, span, where } from "/static/js/live-places.js";
import { switchesPanel } from "/static/js/live-switches.js";

const TABLE_MS = 700;
const FLAME_MS = 900;
const HUNG_S = 1; // the hub has not run for so long: nothing else in the agent can
const CAPTURE_S = 10;

/** A view: `node`, `update(document)`, `close()`. `go(address)` leads to another page. */
export function greenlets({ source, user, go, agent }) {
  const banner = el("div", {});
  const tiles = el("section", { class: "tiles", "aria-label": "Greenlets in numbers" });
  const table = greenletTable(choose);
  const detail = el("section", { class: "panel chosen", "aria-label": "The greenlet chosen" });
  const graph = flame(source);
  const switches = switchesPanel(source);
  const capture = el("button", { type: "button", class: "small" }, `Capture ${CAPTURE_S} s as a flamegraph`);
  const said = el("div", { "aria-live": "polite" });
  const words = el("p", { class: "hint" });
  const node = el("div", { class: "view greenlets-view" }, banner, tiles, detail,
    el("section", { class: "panel functions" }, el("h2", { id: "greenlets-title" }, "Greenlets"), el("div", { class: "table-tools" }, table.tools), table.node, words),
    el("section", { class: "panel flame-panel" }, el("h2", {}, "Where they wait and run, by the clock"),
      el("div", { class: "table-tools" }, graph.tools, user.may_capture ? capture : null), said, graph.node),
    switches.node);
  let seen = null;
  let chosen = null;
  let told = ""; // the greenlet as it stands in the detail
  let alarm = "";
  const holder = { number: null, place: null, switched: 0, since: 0 };
  const drawTable = paced(() => table.update(seen.greenlets), TABLE_MS);
  const drawFlame = paced(() => graph.update(seen.folded), FLAME_MS);
  const draw = paced(() => {
    drawTiles();
    drawBanner();
    drawDetail();
    switches.update(seen.switches);
  });

  capture.addEventListener("click", async () => {
    capture.disabled = true;
    try {
      await post("/api/captures", { agent, seconds: CAPTURE_S, kind: "greenlet" });
      go(`/flamegraphs${query({ agent })}`);
    } catch (error) {
      refill(said, notice(error));
      capture.disabled = false;
    }
  });

  function choose(number) {
    chosen = chosen === number ? null : number;
    table.chosen(chosen);
    drawDetail();
  }

  function tile(name, ...content) {
    return el("div", { class: "tile" }, el("span", { class: "label" }, name), el("span", { class: "value" }, ...content));
  }

  function drawTiles() {
    const by = Map.groupBy(seen.greenlets, (one) => one.state);
    const longest = seen.greenlets.reduce((most, one) => ((one.waits_s ?? -1) > (most?.waits_s ?? -1) ? one : most), null);
    const block = seen.switches?.blocks[0];
    refill(tiles, tile("Greenlets", count(seen.count)),
      tile("States", ["running", "ready", "waiting", "new"].filter((state) => by.has(state)).map((state) => mark({ running: "good", waiting: "unknown" }[state] ?? "info", `${count(by.get(state).length)} ${state}`))),
      longest?.waits_s ? tile("Waits longest", `${longest.at_least ? "≥ " : ""}${duration(longest.waits_s)}`, el("span", { class: "sub" }, brief(longest.name, 40))) : null,
      seen.switches ? tile("Held the hub longest", block ? span(block.seconds) : "–", block ? el("span", { class: "sub" }, brief(block.greenlet, 40)) : null) : null);
    words.textContent = seen.left_out ? `${count(seen.left_out)} more that have waited less are left out, for want of room.` : "";
  }

  /** Since when one greenlet has kept running: the same, at the same place, with no switch in between. */
  function held() {
    const running = seen.greenlets.find((one) => one.state === "running" && !inHub(one));
    const switched = seen.switches?.buckets.reduce((sum, [, number]) => sum + number, 0) ?? null;
    const as = running && holder.number === running.number && holder.switched === switched && (switched !== null || same(holder.place, running.stack[0]));
    if (!as) Object.assign(holder, { number: running?.number ?? null, place: running?.stack[0] ?? null, switched, since: seen.at });
    return running ? { greenlet: running, seconds: seen.at - holder.since } : null;
  }
  const inHub = (one) => one.stack.length === 0 || (origin(one.stack[0].file) === "gevent" && /\bhub\b|^run$/i.test(`${one.name} ${one.stack[0].function}`));

  function drawBanner() {
    const now = held();
    if (!now || now.seconds < HUNG_S) {
      alarm = "";
      return banner.hasChildNodes() && refill(banner);
    }
    const { greenlet, seconds } = now;
    const [place] = greenlet.stack;
    const text = `The hub does not run: ${brief(greenlet.name)} does not let go${place ? `, in ${brief(place.function)} (${where(place)})` : ""}.`;
    if (text !== alarm) {
      alarm = text;
      const look = el("button", { type: "button", class: "small", dataset: { key: "hung" }, on: { click: () => chosen !== greenlet.number && choose(greenlet.number) } }, "Its stack");
      refill(banner, el("div", { class: "notice bad hung" }, el("p", { role: "alert" }, text), el("p", { class: "remedy" }, "For ", el("span", { class: "held" }), " every other greenlet of the agent has waited for it: heartbeats, RPC and timers stand still. ", look)));
    }
    banner.querySelector(".held").textContent = duration(seconds); // not in the alert: it would be read out again and again
  }

  function drawDetail() {
    const one = chosen === null ? null : seen.greenlets.find(({ number }) => number === chosen);
    if (chosen === null) {
      told = "";
      return detail.hasChildNodes() && refill(detail);
    }
    const now = JSON.stringify(one ? [one.number, one.state, one.stack] : null);
    const waits = one?.waits_s ? `, for ${one.at_least ? "at least " : ""}${duration(one.waits_s)}` : "";
    const state = one ? `${one.state}${waits}; greenlet ${one.number}` : "It has ended, or is left out for want of room.";
    if (now === told) {
      detail.querySelector(".state").textContent = state;
      return;
    }
    told = now;
    refill(detail, el("div", { class: "chosen-head" }, el("h3", { tabindex: -1 }, one ? brief(one.name, 120) : "Gone"), el("span", { class: "hint state" }, state),
      el("button", { type: "button", class: "quiet", dataset: { key: "close-greenlet" }, on: { click: () => choose(chosen) } }, "Close")),
    one ? el("div", { class: "columns" },
      el("div", {}, el("h3", {}, "Its stack, innermost first"), frames(one.stack, source, "Stack")),
      el("div", {}, el("h3", {}, "Spawned at"), one.spawned.length ? frames(one.spawned, source, "Spawned at") : el("p", { class: "hint" }, "gevent kept no trace of that."))) : null);
  }

  return {
    node,
    update(document) {
      seen = document;
      draw();
      drawTable();
      drawFlame();
    },
    close() {
      for (const each of [draw, drawTable, drawFlame]) each.stop();
      graph.close();
    },
  };
}
