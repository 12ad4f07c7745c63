// Where the same is to be seen outside of the console: in Grafana and Kibana, of the same platform, agent and time.

import { query } from "/static/js/api.js";
import { el } from "/static/js/dom.js";

const BEFORE_S = 1800;
const AFTER_S = 600;
const SPAN = /^\d+[smhdw]$/;
const EVER = "3650d"; // what the console says for all the time there is: too long for a dashboard
// Of a page's agent; without one it is about the platform.
const BOARDS = { "/": "platform", "/fleet": "fleet", "/flamegraphs": "profiles" };
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The time around a moment, in seconds since the epoch. */
export const around = (at) => ({ since: Math.floor(at - BEFORE_S), until: Math.floor(at + AFTER_S) });

/** A dashboard of Grafana, null where the site names none. `at`: site, instance, agent; since and until in seconds, or since as `1h`. */
export function grafana({ links, site, instance }, board, at) {
  if (!links.grafana) return null;
  const { since, until } = at;
  const time = since === undefined ? {} : SPAN.test(since) ? { from: `now-${since}`, to: "now" } : { from: since * 1000, to: until ? until * 1000 : "now" };
  const chosen = board === "fleet" ? {} : { "var-site": at.site ?? site, "var-instance": at.instance ?? instance, "var-agent": at.agent };
  return `${links.grafana.replace(/\/$/, "")}/d/voltscope-${board}${query({ ...chosen, ...time })}`;
}

/** Kibana or OpenSearch Dashboards, null where the site names none: `shown` is a dashboard (platform, fleet), or a view of records (logs, profiles). `at` as above, and `event`: one record. */
export function kibana({ links, site, instance }, shown, at) {
  if (!links.kibana) return null;
  const base = links.kibana.replace(/\/$/, "");
  // in a space of Kibana, kibana-import gives objects ids of their own
  const space = /\/s\/([^/]+)$/.exec(base);
  const id = `voltscope-${shown}${space ? `-${space[1]}` : ""}`;
  const board = shown === "platform" || shown === "fleet";
  const fields = shown === "fleet" ? [] : [["labels.site", at.site ?? site], ["labels.instance", at.instance ?? instance], ["service.name", at.agent], ["event.id", at.event]];
  const wanted = fields.filter(([, value]) => value).map(([field, value]) => `${field}:"${value.replace(/["\\]/g, "\\$&")}"`).join(" AND ");
  const state = [board ? null : `index:${rison(id)}`, `query:(language:lucene,query:${rison(wanted)})`].filter(Boolean).join(",");
  const { since, until } = at;
  const moment = (seconds) => rison(new Date(seconds * 1000).toISOString());
  const time = since === undefined ? null : SPAN.test(since) ? `from:now-${since},to:now` : `from:${moment(since)},to:${until ? moment(until) : "now"}`;
  const asked = [time && `_g=${encodeURIComponent(`(time:(${time}))`)}`, `_a=${encodeURIComponent(`(${state})`)}`].filter(Boolean).join("&");
  return `${base}/app/${board ? `dashboards#/view/${id}` : "discover#/"}?${asked}`;
}

/** A string as Kibana's addresses have it. */
const rison = (text) => `'${text.replace(/[!']/g, "!$&")}'`;

/** When a capture was taken, by its ULID; null when it is none. */
function taken(id) {
  const digits = [...(id ?? "").slice(0, 10).toUpperCase()].map((letter) => CROCKFORD.indexOf(letter));
  return digits.length < 10 || digits.includes(-1) ? null : digits.reduce((sum, digit) => sum * 32 + digit, 0) / 1000;
}

/** Site, instance, agent and time of a page of the console, by its address. */
function shownAt({ search }) {
  const parameters = new URLSearchParams(search);
  const given = (name) => parameters.get(name) || undefined;
  const agent = given("agent");
  const [since, until] = [given("since"), given("until")];
  const capture = taken(given("id"));
  let time = {};
  if (SPAN.test(since)) time = since === EVER ? {} : { since };
  else if (Number(since) > 0) time = { since: Number(since), until: Number(until) || undefined };
  else if (capture) time = around(capture);
  // agents of a whole class are nobody's dashboard
  return { site: given("site"), instance: given("instance"), agent: agent?.includes("*") ? undefined : agent, ...time };
}

/** Name and address of where a page of the console is to be seen elsewhere; only what the site names. */
export function elsewhere(session, address) {
  const at = shownAt(address);
  const path = address.pathname;
  const board = path === "/fleet" ? "fleet" : at.agent ? BOARDS[path] ?? "agent" : "platform";
  const shown = path === "/" ? "platform" : path === "/fleet" ? "fleet" : path === "/flamegraphs" ? "profiles" : "logs";
  return [["Grafana", grafana(session, board, at)], ["Kibana", kibana(session, shown, at)]].filter(([, href]) => href);
}

/** Links there, which follow the address: pages change it without telling anybody, so it is looked at when somebody comes near. */
export function elsewhereLinks(session) {
  const links = elsewhere(session, location).map(([name, href]) => el("a", { href, rel: "noreferrer", target: "_blank", title: `The same in ${name}` }, name, el("span", { "aria-hidden": "true" }, " ↗")));
  const node = el("div", { class: "elsewhere", role: "group", "aria-label": "The same elsewhere" }, links);
  const follow = () => elsewhere(session, location).forEach(([, href], index) => { links[index].href = href; });
  for (const event of ["pointerover", "focusin", "click"]) node.addEventListener(event, follow, { capture: true });
  return { node, follow };
}
