// How long greenlets run between switches, and who kept the hub from running longest.

import { el, refill, svg } from "/static/js/dom.js";
import { count, moment } from "/static/js/format.js";
import { brief, frames, span } from "/static/js/live-places.js";

const HEIGHT = 96;
const BLOCKING_S = 0.1; // what gevent itself calls a blocked loop

const bound = ([upper], index, all) => (upper === null ? `over ${span(all[index - 1]?.[0] ?? 0)}` : `up to ${span(upper)}`);

/** `node`, `update(switches)`. */
export function switchesPanel(source) {
  const picture = el("div", { class: "switch-bars" });
  const words = el("p", { class: "hint" });
  const body = el("tbody", {});
  const blocks = el("ul", { class: "blocks" });
  const blocksHead = el("h3", {}, "What held the hub longest");
  const node = el("section", { class: "panel switches" }, el("h2", {}, "Time between switches"),
    el("div", { class: "columns" },
      el("div", {}, picture, words,
        el("details", { class: "as-table" }, el("summary", {}, "As a table"),
          el("table", {}, el("caption", { class: "visually-hidden" }, "Time between switches"), el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Time"), el("th", { scope: "col", class: "num" }, "Switches"))), body))),
      el("div", {}, blocksHead, blocks)));
  node.hidden = true;
  let known = "";

  function bars(buckets) {
    // bars by the logarithm: one long block among a million short ones is what one looks for
    const most = Math.log10(Math.max(1, ...buckets.map(([, number]) => number)) + 1);
    const wide = 100 / buckets.length;
    refill(picture, svg("svg", { viewBox: `0 0 100 ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": "Switches by the time before them, on a logarithmic scale; the table has the numbers." },
      buckets.map((bucket, index) => {
        const tall = bucket[1] ? Math.max(3, (Math.log10(bucket[1] + 1) / most) * (HEIGHT - 4)) : 0;
        const slow = (buckets[index - 1]?.[0] ?? 0) >= BLOCKING_S * 0.99;
        return svg("rect", { class: slow ? "slow" : "fine", x: index * wide + wide * 0.08, y: HEIGHT - tall, width: wide * 0.84, height: tall }, svg("title", {}, `${bound(bucket, index, buckets)}: ${count(bucket[1])}`));
      })),
    el("div", { class: buckets.length > 10 ? "bounds many" : "bounds", "aria-hidden": "true" }, buckets.map(([upper]) => el("span", {}, upper === null ? "∞" : span(upper).replace(/\.?0+(?= )/, (zeros) => (zeros.startsWith(".") ? "" : zeros)).replace(" ", "\u202f")))));
    refill(body, buckets.map((bucket, index) => el("tr", {}, el("th", { scope: "row" }, bound(bucket, index, buckets)), el("td", { class: "num" }, count(bucket[1])))));
  }

  function block(one) {
    const at = moment(one.at);
    return el("li", {}, el("details", { class: "thread" },
      el("summary", { dataset: { key: `block-${one.at}` } }, el("span", { class: `strong${one.seconds >= BLOCKING_S ? " warned" : ""}` }, span(one.seconds)), el("span", {}, brief(one.greenlet, 60)), el("span", { class: "hint" }, at.short)),
      one.stack.length ? frames(one.stack, source, "Where it was") : el("p", { class: "hint" }, "Too short to be caught with its stack.")));
  }

  return {
    node,
    update(switches) {
      node.hidden = switches === null;
      if (switches === null) return;
      bars(switches.buckets);
      const all = switches.buckets.reduce((sum, [, number]) => sum + number, 0);
      const long = switches.buckets.reduce((sum, [, number], index) => sum + ((switches.buckets[index - 1]?.[0] ?? 0) >= BLOCKING_S * 0.99 ? number : 0), 0);
      words.textContent = `${count(all)} switches; ${long ? `${count(long)} of them after ${span(BLOCKING_S)} or more, when every other greenlet had to wait` : `none kept the hub from running for ${span(BLOCKING_S)}`}. Bars on a logarithmic scale.`;
      const now = JSON.stringify(switches.blocks);
      if (now === known) return; // one that somebody has open stays open
      known = now;
      const open = new Set([...blocks.querySelectorAll("details[open] > summary")].map((summary) => summary.dataset.key));
      refill(blocks, switches.blocks.length ? switches.blocks.map(block) : el("li", { class: "hint" }, "Nothing has held it long enough to be noted."));
      for (const summary of blocks.querySelectorAll("summary")) summary.parentNode.open = open.has(summary.dataset.key);
    },
  };
}
