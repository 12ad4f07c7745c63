// What to watch and how: agent, view, time, source; what it will cost is said before anything begins.

import { el, mark, notice, refill } from "/static/js/dom.js";
import { visible } from "/static/js/format.js";
import { field } from "/static/js/flamegraphs-pictures.js";

export const VIEWS = {
  greenlets: ["Greenlets", "Who waits where and for how long, and what keeps the hub from running.", 300],
  "call-graph": ["Call graph", "Which functions call which, and where the time goes.", 120],
  flow: ["Flow", "Calls and returns as they happen.", 10],
  syscalls: ["System calls", "What is asked of the kernel, how often, with errors and time.", 120],
};
const LONGEST = { flow: 60 };
const BEST = "";

/** How much longer the same work takes, for people. */
function slowdown(factor) {
  if (factor === null || factor === undefined) return "nobody has measured how much slower it gets";
  if (factor < 1.005) return "no slowdown that could be measured";
  if (factor < 1.995) return `about ${Number(((factor - 1) * 100).toPrecision(2))} % slower`;
  return `about ${Number(factor.toPrecision(2))} times slower`;
}

const sure = (exact) => (exact ? mark("good", "exact", "Every event is seen.") : mark("unknown", "sampled", "Looked at many times a second: what is short may be missed."));

/** The source as it is when calls are timed, which some charge more for. */
const withLatency = (source) => (source.timed ? { ...source, ...source.timed } : source);

/** What will watch or watches: `source` has name, exact, slowdown and words. */
export function price(source) {
  return [
    el("span", { class: "strong" }, visible(source.name)), " ", sure(source.exact), ", ",
    el("span", { class: source.slowdown >= 1.1 ? "warned" : null }, `${slowdown(source.slowdown)}.`), " ",
    el("span", { class: "hint" }, visible(source.words ?? "")),
  ];
}

/** `on.start(values)`, `on.stop()`, `on.choose(agent, view)` when another is chosen. */
export function liveForm(user, chosen, on) {
  const agent = el("select", { id: "agent", name: "agent", required: true });
  const views = Object.entries(VIEWS).map(([view, [name, why]]) =>
    el("label", { class: "choice", title: why }, el("input", { type: "radio", name: "view", value: view, checked: view === chosen.view }), el("span", {}, name)));
  const seconds = el("input", { id: "seconds", name: "seconds", type: "number", min: 1, max: 600, required: true, inputmode: "numeric" });
  const source = el("select", { id: "source", name: "source" }, el("option", { value: BEST }, "The best there is"));
  const rate = el("input", { id: "rate", name: "rate", type: "number", min: 1, max: 1000, inputmode: "numeric", placeholder: "its own" });
  const switches = el("label", { class: "tick" }, el("input", { type: "checkbox", name: "switches", checked: true }), el("span", {}, "Time between switches"));
  const latencyPrice = el("span", {});
  const latency = el("label", { class: "tick" }, el("input", { type: "checkbox", name: "latency" }), el("span", {}, "Time of each call", latencyPrice));
  const start = el("button", { type: "submit", class: "primary", "aria-describedby": "live-why" }, "Start");
  const stop = el("button", { type: "button", disabled: true }, "Stop");
  const why = el("p", { class: "hint", id: "live-why" });
  const plan = el("div", { class: "plan", role: "status" });
  const node = el("form", { class: "panel filters live-form" },
    field("agent", "Agent", agent),
    el("div", { class: "field kinds", role: "radiogroup", "aria-labelledby": "view-label" }, el("span", { class: "label", id: "view-label" }, "View"), el("div", { class: "choices" }, views)),
    field("seconds", "Seconds", seconds),
    el("div", { class: "field buttons" }, start, stop),
    el("details", { class: "further" }, el("summary", {}, "Source and more"),
      el("div", { class: "further-fields" }, field("source", "Source", source), field("rate", "Samples a second", rate), switches, latency)),
    plan, why);
  const fields = node.elements;
  let known = null; // targets
  let sources = null; // by view, for the agent chosen
  let trouble = null;
  let state = "idle"; // idle, starting, running

  const view = () => fields.view.value;
  const choice = () => sources?.find((one) => one.view === view());
  const planned = () => {
    const offered = choice();
    return offered?.sources.find(({ name }) => name === (source.value || offered.chosen));
  };

  function seconds_() {
    seconds.max = LONGEST[view()] ?? 600;
    seconds.value = VIEWS[view()][2];
  }

  function offer() {
    const before = source.value;
    refill(source, el("option", { value: BEST }, "The best there is"), (choice()?.sources ?? []).map((one) =>
      el("option", { value: one.name, disabled: one.unavailable !== null }, `${visible(one.name)}, ${one.exact ? "exact" : "sampled"}${one.unavailable === null ? "" : " (not here)"}`)));
    if ([...source.options].some(({ value, disabled }) => value === before && !disabled)) source.value = before;
    switches.hidden = view() !== "greenlets";
    const timed = planned()?.timed;
    latency.hidden = view() !== "syscalls" || !timed;
    latencyPrice.textContent = timed ? ` (${slowdown(timed.slowdown)} in place of ${slowdown(planned().slowdown)})` : "";
  }

  function update() {
    const offered = choice();
    const will = planned();
    if (trouble) refill(plan, notice(trouble));
    else if (offered) {
      const better = will ? offered.sources.slice(0, offered.sources.indexOf(will)) : offered.sources;
      const missing = better.filter((one) => one.unavailable !== null);
      refill(plan,
        will ? el("p", {}, "Will be watched by ", price(fields.latency.checked ? withLatency(will) : will)) : notice({ message: "Nothing here can watch this." }, "warning"),
        missing.length ? el("details", { class: "missing", open: !will }, el("summary", {}, `Why not ${missing.map(({ name }) => visible(name)).join(", ")}`),
          el("ul", {}, missing.map((one) => el("li", {}, el("span", { class: "strong" }, visible(one.name)), ` (${one.exact ? "exact" : "sampled"}): `, visible(one.unavailable))))) : null);
    } else refill(plan);
    plan.hidden = state === "running"; // the session says by what
    why.textContent = !user.may_capture ? `${user.user} is a viewer: live views show what code runs and need the role operator.`
      : known?.length === 0 ? "No agent runs that could be watched." : "";
    start.disabled = !user.may_capture || !will || state === "starting";
    start.textContent = state === "starting" ? "Starting…" : state === "running" ? "Restart" : "Start";
    stop.disabled = state !== "running";
  }

  node.addEventListener("change", (event) => {
    if (event.target.name === "view") seconds_();
    if (event.target.name === "view" || event.target.name === "agent") on.choose(agent.value, view());
    offer();
    update();
  });
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    on.start({
      agent: agent.value, view: view(), seconds: Number(seconds.value), source: source.value || null,
      rate: rate.value ? Number(rate.value) : null, switches: fields.switches.checked,
      ...(view() === "syscalls" && fields.latency.checked ? { latency: true } : {}),
    });
  });
  stop.addEventListener("click", () => on.stop());
  seconds_();
  update();

  return {
    node,
    agent: () => agent.value,
    state(now) {
      state = now;
      update();
    },
    targets(found) {
      known = found;
      const wanted = agent.value || chosen.agent;
      refill(agent, found.map(({ agent: name, pid }) => el("option", { value: name }, `${visible(name)} (pid ${pid})`)));
      if (found.some(({ agent: name }) => name === wanted)) agent.value = wanted;
      update();
    },
    /** What can watch the agent chosen, or why nobody knows. */
    sources(found, error = null) {
      [sources, trouble] = [found, error];
      offer();
      update();
    },
  };
}
