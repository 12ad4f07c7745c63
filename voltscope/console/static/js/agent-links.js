// Where else the same agent is to be seen, at the same time.

import { el } from "/static/js/dom.js";
import { query } from "/static/js/api.js";

const within = (href, words, label) => el("a", { href, "data-route": true, "aria-label": label, dataset: { key: words } }, words);

/** The page of an agent; `range`: {since, until} as it has them in its address. */
export const agentPage = (agent, range = {}) => `/agent${query({ agent, ...range })}`;

/** The page of an agent in the minutes around a moment (seconds since the epoch). */
export const agentAround = (agent, at, before = 1800, after = 600) => agentPage(agent, { since: Math.floor(at - before), until: Math.floor(at + after) });

/** Links for the head of an agent's page. `span`: since and until in seconds; `facts`: of the agent, or null. */
export function agentLinks({ agent, span, facts, session }) {
  const runs = facts === null || facts.state === "running" || facts.state === "hung";
  const { since, until } = span;
  return [
    within(`/logs${query({ agent, since, until })}`, "Logs", `Logs of ${agent} at this time`),
    session.may_capture && runs ? within(`/flamegraphs${query({ agent })}`, "Flamegraph now", `Flamegraph now: capture ${agent}`) : null,
    within(`/flamegraphs${query({ view: "range", agent, kind: "cpu", reason: "continuous", since, until })}`, "Flamegraph of this time", `Flamegraph of this time, of what was sampled of ${agent}`),
    session.may_capture && runs ? within(`/live${query({ agent })}`, "Live", `Live views of ${agent}`) : null,
  ].filter(Boolean);
}
