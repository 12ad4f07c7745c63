// Flamegraphs: pick an agent, capture, watch it, and look at every capture there is.

import { get, post, query } from "/static/js/api.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { count, moment, visible } from "/static/js/format.js";

export const title = "Flamegraphs";

const POLL_MS = 400;
const KINDS = [
  ["cpu", "CPU", "Where it computes; waiting is left out."],
  ["wall", "Wall clock", "Everything, waiting included."],
  ["gil", "GIL", "What holds Python's global lock."],
];
const KIND_NAMES = Object.fromEntries(KINDS.map(([kind, name]) => [kind, name]));

export function mount(root, { session, parameters, go }) {
  const stop = new AbortController();
  const form = captureForm(session, parameters);
  const progress = el("div", { class: "progress", "aria-live": "polite" });
  const viewer = el("section", { class: "viewer", "aria-label": "Flamegraph" });
  const list = el("section", { class: "panel" }, el("h2", {}, "Captures"), el("p", { class: "hint" }, "Loading…"));
  root.append(el("h1", { class: "visually-hidden" }, "Flamegraphs"), form.node, progress, viewer, list);

  form.node.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.busy(true);
    try {
      const started = await post("/api/captures", form.values());
      await watch(started);
    } catch (error) {
      if (error.name !== "AbortError") refill(progress, notice(error));
    }
    form.busy(false);
    readList();
  });

  async function watch(capture) {
    const bar = el("progress", { max: 1, value: 0, id: "bar" });
    const words = el("label", { for: "bar" });
    refill(progress, el("div", { class: "panel" }, words, bar));
    while (!stop.signal.aborted) {
      const share = capture.progress ?? 0;
      bar.value = share;
      const waiting = share === 0 && capture.words ? ` – ${visible(capture.words)}` : "";
      words.textContent = `Capturing ${visible(capture.agent ?? "")}: ${Math.round(share * 100)} %${waiting}`;
      if (capture.state === "done") {
        refill(progress);
        go(`/flamegraphs${query({ agent: capture.agent, id: capture.id })}`, { replace: true });
        return;
      }
      if (capture.state === "failed") {
        refill(progress, notice(failure(capture)));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      capture = await get(`/api/captures/${capture.id}`, stop.signal);
    }
  }

  async function readTargets() {
    try {
      form.targets((await get("/api/targets", stop.signal)).targets);
    } catch (error) {
      if (error.name === "AbortError") return;
      form.targets(null);
      refill(progress, notice(error));
    }
  }

  async function readList() {
    try {
      const { captures } = await get("/api/captures", stop.signal);
      refill(list, ...captureTable(captures, session, parameters.get("id")));
      const running = captures.find(({ state }) => state === "recording");
      if (running && !progress.hasChildNodes()) watch(running).then(readList, () => {});
    } catch (error) {
      if (error.name === "AbortError") return;
      refill(list, el("h2", {}, "Captures"), notice(error));
    }
  }

  async function view(id) {
    try {
      const capture = await get(`/api/captures/${encodeURIComponent(id)}`, stop.signal);
      refill(viewer, ...flamegraph(capture, session));
    } catch (error) {
      if (error.name !== "AbortError") refill(viewer, notice(error));
    }
  }

  readTargets();
  readList();
  if (parameters.get("id")) view(parameters.get("id"));
  return () => stop.abort();
}

function captureForm(session, parameters) {
  const agent = el("select", { id: "agent", name: "agent", required: true });
  const length = el("input", { id: "seconds", name: "seconds", type: "number", min: 1, max: 300, value: 5, required: true, inputmode: "numeric" });
  const rate = el("input", { id: "rate", name: "rate", type: "number", min: 1, max: 1000, value: 100, required: true, inputmode: "numeric" });
  const kinds = KINDS.map(([kind, name, why], index) =>
    el("label", { class: "choice", title: why }, el("input", { type: "radio", name: "kind", value: kind, checked: index === 0 }), el("span", {}, name)),
  );
  const button = el("button", { type: "submit", class: "primary", "aria-describedby": "capture-why" }, "Capture");
  const why = el("p", { class: "hint", id: "capture-why" });
  const help = el("p", { class: "hint" });
  const field = (name, label, node) => el("div", { class: "field" }, el("label", { for: name }, label), node);
  const node = el(
    "form", { class: "panel filters" },
    field("agent", "Agent", agent),
    field("seconds", "Seconds", length),
    field("rate", "Samples a second", rate),
    el("div", { class: "field kinds", role: "radiogroup", "aria-labelledby": "kinds-label" },
      el("span", { class: "label", id: "kinds-label" }, "What to sample"), el("div", { class: "choices" }, kinds)),
    el("div", { class: "field buttons" }, button),
    help, why,
  );
  const explain = () => {
    help.textContent = KINDS.find(([kind]) => kind === node.elements.kind.value)[2];
  };
  node.addEventListener("change", explain);
  explain();
  let busy = false;
  let known = null;
  const update = () => {
    const reason = session.may_capture
      ? known !== null && known.length === 0 ? "No agent runs that could be captured." : ""
      : `${session.user} is a viewer: capturing needs the role operator.`;
    why.textContent = reason;
    button.disabled = busy || reason !== "" || known === null;
    button.textContent = busy ? "Capturing…" : "Capture";
  };
  update();
  return {
    node,
    values: () => ({ agent: agent.value, seconds: Number(length.value), rate: Number(rate.value), kind: node.elements.kind.value }),
    busy(now) {
      busy = now;
      update();
    },
    targets(found) {
      known = found;
      const chosen = agent.value || parameters.get("agent");
      refill(agent, (found ?? []).map(({ agent: name, pid }) => el("option", { value: name }, `${visible(name)} (pid ${pid})`)));
      if (found?.some(({ agent: name }) => name === chosen)) agent.value = chosen;
      update();
    },
  };
}

function failure(capture) {
  const error = capture.error;
  if (error && typeof error === "object") return error;
  return { message: error || "The capture failed.", remedy: null };
}

const seconds = (capture) => String(Math.round(capture.duration_s * 10) / 10);

const file = (capture, form) => `/captures/${encodeURIComponent(capture.id)}.${form}`;

function links(capture, session) {
  const named = (form) => `voltscope-${capture.agent}-${capture.id}.${form}`;
  const scope = session.speedscope.available
    ? el("a", {
        href: `/speedscope/index.html#profileURL=${encodeURIComponent(file(capture, "speedscope.json"))}&title=${encodeURIComponent(capture.agent)}`,
        target: "_blank", rel: "noopener",
      }, "Open in speedscope")
    : el("span", { class: "hint", title: session.speedscope.reason }, "speedscope is not installed");
  return [
    scope,
    el("a", { href: file(capture, "svg"), download: named("svg") }, "SVG"),
    el("a", { href: file(capture, "folded"), download: named("folded.txt") }, "Folded stacks"),
    el("a", { href: file(capture, "speedscope.json"), download: named("speedscope.json") }, "speedscope JSON"),
  ];
}

/** The picture says itself what it shows, when and how: around it is only where else to take it. */
function flamegraph(capture, session) {
  const done = capture.state === "done";
  const head = el(
    "div", { class: "viewer-head" }, el("h2", {}, visible(capture.agent)),
    done ? el("span", { class: "links" }, links(capture, session)) : null,
  );
  if (capture.state === "failed") return [head, notice(failure(capture))];
  if (!done) return [head, el("p", { class: "hint" }, "Still recording.")];
  const frame = el("iframe", {
    // scripts of its own for zoom and search, in an origin of its own: it sees nothing of this page
    sandbox: "allow-scripts", src: file(capture, "svg"), title: `Flamegraph of ${capture.agent}. ${capture.words}`,
  });
  const absent = session.speedscope.available ? null : el("p", { class: "hint" }, session.speedscope.reason);
  return [head, el("div", { class: "frame" }, frame), absent];
}

const COLUMNS = [["Agent"], ["Started"], ["Kind"], ["Seconds", "num"], ["Samples", "num"], ["Result"], ["Asked by"], ["", "actions"]];

function captureTable(captures, session, shown) {
  const head = el("h2", { id: "captures-title" }, "Captures");
  if (captures.length === 0) return [head, el("p", { class: "hint" }, "None yet. Pick an agent above and capture.")];
  const rows = captures.map((capture) => {
    const at = moment(Date.parse(capture.started) / 1000);
    const cells = [
      el("span", { class: "identity" }, visible(capture.agent)),
      at.short,
      KIND_NAMES[capture.kind] ?? visible(capture.kind),
      seconds(capture),
      count(capture.samples),
      result(capture),
      visible([capture.requested_by, capture.reason !== "on-demand" ? capture.reason : null].filter(Boolean).join(", ") || "–"),
      capture.state === "done"
        ? el("a", { href: `/flamegraphs${query({ agent: capture.agent, id: capture.id })}`, "data-route": true, "aria-label": `View the flamegraph of ${capture.agent}, ${at.short}`, dataset: { key: capture.id } }, "View")
        : null,
    ];
    return el("tr", { class: capture.id === shown ? "current" : null }, cells.map((content, index) => {
      const [name, kind] = COLUMNS[index];
      return el(index === 0 ? "th" : "td", { class: kind, scope: index === 0 ? "row" : null, dataset: { label: name } }, content ?? "");
    }));
  });
  return [head, el("table", { "aria-labelledby": "captures-title" },
    el("thead", {}, el("tr", {}, COLUMNS.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))),
    el("tbody", {}, rows))];
}

function result(capture) {
  if (capture.state === "failed") return mark("bad", visible(failure(capture).message));
  if (capture.state === "done") return el("span", { class: "sub-words" }, visible(capture.words ?? "done"));
  return mark("warning", "recording");
}
