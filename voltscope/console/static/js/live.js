// Live: look inside a running agent, by one of four views, for as long as its time box lasts.

import { ApiError, get, post, query, remove } from "/static/js/api.js";
import { agentPage } from "/static/js/agent-links.js";
import { el, mark, notice, refill } from "/static/js/dom.js";
import { duration, visible } from "/static/js/format.js";
import { callGraph } from "/static/js/live-callgraph.js";
import { flow } from "/static/js/live-flow.js";
import { VIEWS, liveForm, price } from "/static/js/live-form.js";
import { greenlets } from "/static/js/live-greenlets.js";
import { sourcePanel } from "/static/js/live-source.js";
import { follow } from "/static/js/live-stream.js";
import { syscalls } from "/static/js/live-syscalls.js";

export const title = "Live";

const MADE = { greenlets, "call-graph": callGraph, flow, syscalls };
const LOOK_MS = 10_000;
const ENDED = {
  time: ["stopped", "ended: its time was up"],
  stopped: ["stopped", "stopped"],
  unwatched: ["stopped", "ended: nobody watched"],
  "target-ended": ["warning", "ended: the agent's process ended"],
  failed: ["bad", "failed"],
};

export function mount(root, { session: user, parameters, go }) {
  const stop = new AbortController();
  const { signal } = stop;
  const chosen = { agent: parameters.get("agent"), view: VIEWS[parameters.get("view")] ? parameters.get("view") : "greenlets" };
  const form = liveForm(user, chosen, { start, stop: end, choose });
  const source = sourcePanel(signal);
  const state = el("span", { class: "session-state", role: "status" });
  const left = el("span", { class: "hint" });
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Time gone by" });
  const by = el("span", { class: "by" });
  const troubles = el("div", { "aria-live": "polite" });
  const head = el("section", { class: "panel session-head", "aria-label": "Session" });
  const stage = el("div", { class: "stage" });
  const others = el("section", { class: "panel" });
  root.append(el("h1", { class: "visually-hidden" }, "Live"), form.node, troubles, head,
    el("div", { class: "live-columns" }, stage, source.node), others);
  head.hidden = true;
  let session = null;
  let mine = false; // whether this page began it
  let view = null;
  let unfollow = () => {};
  let began = 0;
  let looked = 0;

  function address() {
    return `/live${query({ agent: chosen.agent, view: chosen.view })}`;
  }

  function choose(agent, view_) {
    const other = agent !== chosen.agent;
    Object.assign(chosen, { agent, view: view_ });
    history.replaceState(null, "", address());
    if (session?.state === "running" && mine) remove(`/api/live/${session.id}`).catch(() => {}); // it ends by itself too
    leave();
    if (other) readSources();
    else readSessions();
  }

  /** Look no more at what was looked at. */
  function leave() {
    unfollow();
    view?.close();
    [session, view, mine] = [null, null, false];
    head.hidden = true;
    refill(troubles);
    refill(stage);
    source.close();
    form.state("idle");
  }

  async function start(values) {
    form.state("starting");
    try {
      if (session?.state === "running") await remove(`/api/live/${session.id}`).catch(() => {});
      const begun = await post("/api/live", values);
      if (signal.aborted) return;
      watch(begun, true);
    } catch (error) {
      form.state(session?.state === "running" ? "running" : "idle");
      refill(troubles, notice(error));
    }
  }

  async function end() {
    try {
      await remove(`/api/live/${session.id}`);
    } catch (error) {
      if (error.status !== 404) refill(troubles, notice(error));
    }
  }

  function watch(found, own) {
    leave();
    mine = own;
    // clocks differ between machines: what began here is timed here
    began = own ? Date.now() : Math.min(Date.now(), Math.max(Date.parse(found.started), Date.now() - found.seconds * 1000));
    view = MADE[found.view]({ source: source.show, user, go, agent: found.agent });
    refill(stage, view.node);
    source.of(found.id);
    told(found);
    unfollow = follow(found.id, {
      session: told,
      update: (document, again) => view.update(document, again),
      state: (words) => refill(troubles, words ? notice({ message: words }, "warning") : null),
      trouble(error) {
        refill(troubles, notice(error));
        told({ ...session, state: "ended", ended: "failed" });
      },
    });
  }

  function told(now) {
    session = now;
    const running = now.state === "running";
    const [kind, words] = running ? ["good", "running"] : ENDED[now.ended] ?? ["stopped", "ended"];
    refill(state, mark(kind, words));
    refill(by, price({ ...now, name: now.source }));
    if (now.error) refill(troubles, notice(now.error));
    form.state(running ? "running" : "idle");
    if (head.hidden) refill(head, state, left, bar, by, el("a", { href: agentPage(now.agent), "data-route": true }, "Plots"), link());
    head.hidden = false;
    tick();
    if (!running) {
      view?.ended?.();
      readSessions();
    }
  }

  function tick() {
    if (!session) return;
    const gone = Math.min(session.seconds, (Date.now() - began) / 1000);
    const running = session.state === "running";
    left.textContent = running ? `${duration(Math.ceil(session.seconds - gone))} left` : "";
    bar.hidden = !running;
    bar.value = gone / session.seconds;
  }

  function link() {
    const said = el("span", { class: "hint", role: "status" });
    const spare = el("input", { class: "link", readonly: true, hidden: true, "aria-label": "Link to this view" });
    const button = el("button", { type: "button", class: "quiet" }, "Copy link");
    button.addEventListener("click", async () => {
      const text = location.origin + address();
      try {
        await navigator.clipboard.writeText(text);
        said.textContent = "Copied.";
      } catch { // browsers refuse beyond loopback without TLS
        Object.assign(spare, { value: text, hidden: false });
        spare.select();
        said.textContent = "Copy it from the field.";
      }
    });
    return el("span", { class: "share" }, said, spare, button);
  }

  async function readTargets() {
    try {
      const { targets } = await get("/api/targets", signal);
      form.targets(targets);
      chosen.agent = form.agent() || chosen.agent;
      await readSources();
    } catch (error) {
      if (error.name !== "AbortError") form.sources(null, error);
    }
  }

  async function readSources() {
    const { agent } = chosen;
    form.sources(null);
    if (!agent) return;
    try {
      const found = await get(`/api/live/sources${query({ agent })}`, signal);
      if (agent === chosen.agent) form.sources(found.views);
      readSessions();
    } catch (error) {
      if (error.name !== "AbortError" && agent === chosen.agent) form.sources(null, error);
    }
  }

  async function readSessions() {
    looked = Date.now();
    try {
      const { sessions } = await get("/api/live", signal);
      const running = sessions.filter((one) => one.state === "running");
      const here = running.find((one) => one.agent === chosen.agent && one.view === chosen.view);
      // whoever opens the link, or comes back, sees what is being watched already
      if (here && here.id !== session?.id && session?.state !== "running" && user.may_capture) watch(here, false);
      refill(others, ...list(running.filter((one) => one.id !== session?.id)));
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof ApiError)) throw error;
    }
  }

  function list(running) {
    if (running.length === 0) return [];
    return [el("h2", {}, "Also being watched"), el("ul", { class: "others" }, running.map((one) => {
      const name = `${VIEWS[one.view]?.[0] ?? one.view} of ${visible(one.agent)}`;
      const look = el("a", { href: `/live${query({ agent: one.agent, view: one.view })}`, "data-route": true, dataset: { key: one.id } }, name);
      return el("li", {}, look, el("span", { class: "hint" }, ` by ${visible(one.source)}, for ${visible(one.requested_by)}`));
    }))];
  }

  readTargets();
  const timer = setInterval(() => {
    tick();
    if (!document.hidden && Date.now() - looked > LOOK_MS) readSessions();
  }, 500);
  return () => {
    clearInterval(timer);
    stop.abort();
    leave();
  };
}
