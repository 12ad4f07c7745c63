// Flamegraphs: capture any agent, look at every capture and time range there is, compare, and see threads.

import { get, post, remove } from "/static/js/api.js";
import { agentAround } from "/static/js/agent-links.js";
import { el, notice, refill } from "/static/js/dom.js";
import { moment, visible } from "/static/js/format.js";
import { compared, showComparison, sinceYesterday, theOneBefore } from "/static/js/flamegraphs-compare.js";
import { captureForm } from "/static/js/flamegraphs-form.js";
import { functionsPanel } from "/static/js/flamegraphs-functions.js";
import { captureList } from "/static/js/flamegraphs-list.js";
import { downloads, failure, page, picture, to } from "/static/js/flamegraphs-pictures.js";
import { continuousPanel, rangeForm, showRange } from "/static/js/flamegraphs-range.js";
import { threadDump } from "/static/js/flamegraphs-threads.js";

export const title = "Flamegraphs";

const POLL_MS = 400;
const LOOK_MS = 30000;

export function mount(root, { session, parameters: named, go }) {
  const parameters = compared(named);
  const stop = new AbortController();
  const { signal } = stop;
  const view = ["range", "compare"].includes(parameters.get("view")) ? parameters.get("view") : "capture";
  const form = captureForm(session, parameters, { capture, threads });
  const asked = { range: () => rangeForm(parameters, go, []), capture: () => form.node, compare: () => null };
  const asking = el("div", { class: "asking" }, asked[view]());
  const progress = el("div", { class: "progress", "aria-live": "polite" });
  const viewer = el("section", { class: "viewer", "aria-label": "Flamegraph" });
  const below = el("div", { class: "below" });
  const continuous = el("section", { class: "panel" });
  const list = captureList(parameters, go);
  root.append(el("h1", { class: "visually-hidden" }, "Flamegraphs"), views(view, parameters), asking, progress, viewer, below, continuous, list.node);

  async function capture(values) {
    form.busy(true);
    try {
      await watch(await post("/api/captures", values));
    } catch (error) {
      if (error.name !== "AbortError") refill(progress, notice(error));
    }
    form.busy(false);
    if (!signal.aborted) readList();
  }

  async function threads(agent, button) {
    button.disabled = true;
    refill(viewer, el("p", { class: "hint" }, `Looking at the threads of ${visible(agent)}…`));
    refill(below);
    try {
      refill(viewer, ...threadDump(await post("/api/threads", { agent })));
    } catch (error) {
      refill(viewer, notice(error));
    }
    button.disabled = false;
  }

  async function watch(found) {
    const bar = el("progress", { max: 1, value: 0, id: "bar" });
    const words = el("label", { for: "bar" });
    const cancel = session.may_capture ? el("button", { type: "button" }, "Cancel") : null;
    cancel?.addEventListener("click", async () => {
      cancel.disabled = true;
      await remove(`/api/captures/${found.id}`).catch(() => { cancel.disabled = false; }); // it may have just ended
    });
    refill(progress, el("div", { class: "panel" }, el("div", { class: "under-way" }, words, cancel), bar));
    while (!signal.aborted) {
      const share = found.progress ?? 0;
      bar.value = share;
      const waiting = share === 0 && found.words ? ` – ${visible(found.words)}` : "";
      words.textContent = `Capturing ${visible(found.agent ?? "")}: ${Math.round(share * 100)} %${waiting}`;
      if (found.state === "done") {
        refill(progress);
        go(page({ agent: found.agent, id: found.id }), { replace: true });
        return;
      }
      if (found.state === "failed") {
        const cancelled = failure(found).code === "capture-cancelled";
        refill(progress, notice(failure(found), cancelled ? "info" : "bad"));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      found = await get(`/api/captures/${found.id}`, signal);
    }
  }

  async function readTargets() {
    try {
      const { targets } = await get("/api/targets", signal);
      form.targets(targets);
      if (view === "range" && !asking.contains(document.activeElement)) refill(asking, rangeForm(parameters, go, targets.map(({ agent }) => agent)));
      form.backends((await get("/api/backends", signal)).backends);
    } catch (error) {
      if (error.name === "AbortError") return;
      form.targets(null);
      refill(progress, notice(error));
    }
  }

  async function readList() {
    try {
      const { captures } = await get("/api/captures", signal);
      list.fill(captures);
      const running = captures.find(({ state }) => state === "recording");
      if (running && view === "capture" && !progress.hasChildNodes()) watch(running).then(readList, () => {});
      return captures;
    } catch (error) {
      if (error.name !== "AbortError") refill(list.node, el("h2", {}, "Captures"), notice(error));
      return [];
    }
  }

  async function readContinuous() {
    try {
      refill(continuous, ...continuousPanel((await get("/api/continuous", signal)).continuous));
    } catch {
      refill(continuous); // the list says already that the profiler is away
    }
  }

  async function show(id, reading) {
    try {
      const found = await get(`/api/captures/${encodeURIComponent(id)}`, signal);
      const head = el("div", { class: "viewer-head" }, el("h2", {}, visible(found.agent)), el("span", { class: "hint" }, moment(Date.parse(found.started) / 1000).short));
      if (found.state === "failed") return refill(viewer, head, notice(failure(found)));
      if (found.state !== "done") return refill(viewer, head, el("p", { class: "hint" }, "Still recording."));
      const address = (form_) => `/captures/${encodeURIComponent(found.id)}.${form_}`;
      const compare = el("span", { class: "links compare" });
      refill(viewer, head, downloads(address, `voltscope-${found.agent}-${found.id}`, session, [to(agentAround(found.agent, Date.parse(found.started) / 1000), "Plots around it")]), compare,
        picture(address("svg"), `Flamegraph of ${found.agent}. ${found.words}`),
        session.speedscope.available ? null : el("p", { class: "hint" }, session.speedscope.reason));
      refill(below, functionsPanel(await get(address("json"), signal), found.agent));
      refill(compare, comparisons(found, await reading));
    } catch (error) {
      if (error.name !== "AbortError") refill(viewer, notice(error));
    }
  }

  /** What a capture may be compared with at one press. */
  function comparisons(found, captures) {
    const before = theOneBefore(found, captures);
    const since = el("button", { type: "button", class: "quiet" }, "Since yesterday");
    const said = el("span", { class: "hint", role: "status" });
    since.addEventListener("click", async () => {
      since.disabled = true;
      try {
        const address = await sinceYesterday(found, captures, signal);
        if (address) return go(address);
        said.textContent = "Nothing of about a day earlier is kept of this agent and kind.";
      } catch (error) {
        if (error.name !== "AbortError") said.textContent = error.message;
      }
      since.disabled = false;
    });
    return [
      el("span", { class: "hint" }, "Compare:"),
      before ? to(page({ view: "compare", before: before.id, after: found.id }), "With the one before") : null,
      since, said,
    ];
  }

  readTargets();
  readContinuous();
  const look = setInterval(readContinuous, LOOK_MS);
  const reading = readList();
  if (view === "range") showRange(viewer, below, parameters, session, signal);
  else if (view === "compare" && parameters.get("before") && parameters.get("after")) showComparison(viewer, below, parameters, signal);
  else if (parameters.get("id")) show(parameters.get("id"), reading);
  return () => {
    clearInterval(look);
    stop.abort();
  };
}

function views(view, parameters) {
  const link = (name, address, words) => to(address, words, { "aria-current": view === name ? "true" : null });
  const agent = parameters.get("agent");
  return el("div", { class: "views", role: "group", "aria-label": "Views" },
    link("capture", page({ agent }), "Capture"), link("range", page({ view: "range", agent }), "Time range"),
    view === "compare" ? link("compare", location.pathname + location.search, "Difference") : null);
}
