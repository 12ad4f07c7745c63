// What keeps people from being told: silences, maintenance, sites given up; listed, made and ended.

import { get, post, query, remove } from "/static/js/api.js";
import { el, notice, refill } from "/static/js/dom.js";
import { moment, visible } from "/static/js/format.js";
import { table, row } from "/static/js/tables.js";
import { KINDS, about, field } from "/static/js/alerts-parts.js";

const LISTS = ["acknowledgements", "silences", "maintenance", "decommission"];
const COLUMNS = [["Of", ""], ["Kind", ""], ["Until", ""], ["By", ""], ["Why", ""], ["", "actions"]];
const MATCHER = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*$/;
const local = (seconds) => new Date(seconds * 1000 - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
const epoch = (text) => new Date(text).getTime() / 1000;

export function standingView({ session, signal }) {
  const place = el("div", {});
  const troubles = el("div", { "aria-live": "polite" });
  const node = el("div", { class: "alerts-view" }, troubles, el("section", { class: "panel" }, place), session.role === "operator" ? forms() : null);

  async function tried(what) {
    try {
      await what();
      refill(troubles);
      await read();
      return true;
    } catch (error) {
      if (error.name !== "AbortError") refill(troubles, notice(error));
      return false;
    }
  }

  function ending(kind, one) {
    const why = el("input", { type: "text", maxlength: 500, required: true, autocomplete: "off", "aria-label": "Reason to end it", placeholder: "Reason" });
    const form = el("form", { class: "end-form" }, why, el("button", { type: "submit", class: "small" }, "End it"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      tried(async () => {
        await remove(`/api/alerts/${kind}/${encodeURIComponent(one.id)}${query({ why: why.value.trim() })}`);
        unfolded.open = false; // what it stood for is over: the list is drawn anew
      });
    });
    const unfolded = el("details", { class: "ending" }, el("summary", {}, "End"), form);
    return unfolded;
  }

  function line(kind, one) {
    const until = one.until ?? one.end;
    return row(COLUMNS, [
      el("span", { class: "identity" }, of(one)),
      [KINDS[one.kind] ?? visible(one.kind), one.weekly ? el("span", { class: "sub" }, "each week") : null, one.applied ? null : el("span", { class: "sub" }, one.problem ? visible(one.problem) : "not yet in force")],
      [one.start && one.start * 1000 > Date.now() ? `from ${moment(one.start).short} ` : "", until ? moment(until).short : kind === "acknowledgements" ? "it is over" : "all is quiet"],
      visible(one.by), visible(one.why).slice(0, 300), session.role === "operator" ? ending(kind, one) : "",
    ]);
  }

  async function read() {
    const answers = await Promise.all(LISTS.map((kind) => get(`/api/alerts/${kind}`, signal)));
    // what somebody is about to end must not be drawn anew under their hands
    if (place.querySelector("details[open]")) return;
    refill(place, table("standing-title", "Kept quiet", COLUMNS, LISTS.flatMap((kind, index) => answers[index][kind].map((one) => line(kind, one))), "Nothing is kept quiet."));
  }

  function forms() {
    const now = Date.now() / 1000;
    const matchers = el("textarea", { rows: 3, required: true, placeholder: "agent=platform.historian\ndevice=~campus/.*", spellcheck: "false" });
    const silence = form("Silence", "silence", [[matchers, "Labels, one a line", "field wide"], [moments(now + 7200), "Until"]], ([told, until]) => post("/api/alerts/silences", { ...told, until: epoch(until.value) }), () => {
      const read = matchers.value.split("\n").filter((text) => text.trim()).map((text) => MATCHER.exec(text));
      matchers.setCustomValidity(read.length && read.every(Boolean) ? "" : "One a line: LABEL=VALUE, LABEL!=VALUE, LABEL=~REGEX or LABEL!~REGEX.");
      return { matchers: read.filter(Boolean).map(([, name, sign, value]) => ({ name, value, is_regex: sign.includes("~"), is_equal: !sign.includes("!") })) };
    });
    const weekly = el("input", { type: "checkbox" });
    const where = () => [[el("input", { type: "text", required: true, value: session.site }), "Site"], [el("input", { type: "text", placeholder: "all of the site" }), "Instance"]];
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const maintenance = form("Plan maintenance", "maintenance", [...where(), [moments(now), "From"], [moments(now + 7200), "Until"], [weekly, `Each week (${zone})`, "field tick"]], ([told, site, instance, start, end]) => post("/api/alerts/maintenance", {
      ...told, site: site.value.trim(), ...(instance.value.trim() ? { instance: instance.value.trim() } : {}), start: epoch(start.value), end: epoch(end.value), weekly: weekly.checked, ...(weekly.checked ? { timezone: zone } : {}),
    }));
    const sure = el("input", { type: "checkbox", required: true });
    const give = form("Give a site up", "decommission", [...where(), [sure, "Yes: nobody is to be told of it any more", "field tick"]], ([told, site, instance]) => post("/api/alerts/decommission", {
      ...told, site: site.value.trim(), ...(instance.value.trim() ? { instance: instance.value.trim() } : {}),
    }));
    return el("div", { class: "columns" }, silence, maintenance, give);
  }

  /** A form of its own panel; `send` is given what `check` made of it and the inputs. The reason is added to what is posted. */
  function form(name, key, fields, send, check = () => ({})) {
    const why = el("input", { type: "text", required: true, maxlength: 500, autocomplete: "off", placeholder: "Others read it" });
    const inputs = fields.map(([input]) => input);
    const made = el("form", { class: "filters" }, [...fields, [why, "Reason", "field wide"]].map(([input, label, kind], index) => field(`${key}-${index}`, label, input, kind)), el("div", { class: "field buttons" }, el("button", { type: "submit", class: "primary" }, name)));
    made.addEventListener("input", () => inputs.forEach((one) => one.setCustomValidity("")));
    made.addEventListener("submit", async (event) => {
      event.preventDefault();
      const checked = check();
      if (!made.reportValidity()) return;
      const reason = why.value.trim();
      if (await tried(() => send([{ ...checked, why: reason }, ...inputs.filter((one) => one.tagName !== "TEXTAREA")]))) made.reset();
    });
    return el("section", { class: "panel", "aria-labelledby": `${key}-title` }, el("h2", { id: `${key}-title` }, name), made);
  }
  return { node, read, every: 15_000 };
}

const moments = (at) => el("input", { type: "datetime-local", required: true, value: local(at) });

/** What it is about. */
function of(one) {
  if (one.matchers) return visible(one.matchers.map(({ name, value, is_regex: regex, is_equal: equal }) => `${name}${equal ? "=" : "!"}${regex ? "~" : equal ? "" : "="}${value}`).join(" "));
  if (one.alert) return el("a", { href: `/alerts${query({ alert: one.alert })}`, "data-route": true, dataset: { key: one.id } }, `${visible(one.labels.alertname ?? "")} (${about(one.labels)})`);
  return visible([one.site, one.instance].filter(Boolean).join(" / "));
}
