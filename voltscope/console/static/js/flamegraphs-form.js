// The form that asks for a capture or a thread dump: agent, length, kind, and which profiler samples with what.

import { el, refill } from "/static/js/dom.js";
import { visible } from "/static/js/format.js";
import { KINDS, field } from "/static/js/flamegraphs-pictures.js";

const AUTOMATIC = "";

/** `on.capture(values)` and `on.threads(agent)` are called when they are asked for. */
export function captureForm(session, parameters, on) {
  const agent = el("select", { id: "agent", name: "agent", required: true });
  const number = (id, max, value) => el("input", { id, name: id, type: "number", min: 1, max, value, required: true, inputmode: "numeric" });
  const kinds = KINDS.map(([kind, name, why], index) =>
    el("label", { class: "choice", title: why }, el("input", { type: "radio", name: "kind", value: kind, checked: index === 0 }), el("span", {}, name)));
  const backend = el("select", { id: "backend", name: "backend" }, el("option", { value: AUTOMATIC }, "The first that can"));
  const tick = (name, words, why) => el("label", { class: "tick", title: why }, el("input", { type: "checkbox", name }), el("span", {}, words));
  const further = el("details", { class: "further" }, el("summary", {}, "Profiler and more"),
    el("div", { class: "further-fields" },
      field("backend", "Profiler", backend),
      tick("native", "Native frames", "Frames of C and C++ as well."),
      tick("children", "Child processes", "With platform: the platform and all its agents.")));
  const button = el("button", { type: "submit", class: "primary", "aria-describedby": "capture-why" }, "Capture");
  const dump = el("button", { type: "button", "aria-describedby": "capture-why", title: "Where every thread is at this moment, without the values of variables." }, "Thread dump");
  const why = el("p", { class: "hint", id: "capture-why" });
  const help = el("p", { class: "hint" });
  const warning = el("p", { class: "hint warned", role: "status" });
  const node = el("form", { class: "panel filters" },
    field("agent", "Agent", agent), field("seconds", "Seconds", number("seconds", 300, 5)),
    field("rate", "Samples a second", number("rate", 1000, 100)),
    el("div", { class: "field kinds", role: "radiogroup", "aria-labelledby": "kinds-label" },
      el("span", { class: "label", id: "kinds-label" }, "What to sample"), el("div", { class: "choices" }, kinds)),
    el("div", { class: "field buttons" }, button, dump), further, help, warning, why);
  const fields = node.elements;
  let busy = false;
  let known = null;
  let backends = [];

  function update() {
    const chosen = backends.find(({ name }) => name === backend.value);
    const able = chosen ? [chosen] : backends.filter(({ available }) => available);
    for (const radio of fields.kind) {
      const offered = backends.length ? able.some((one) => one.kinds.includes(radio.value)) : radio.value !== "memory";
      radio.disabled = !offered;
      radio.parentElement.classList.toggle("off", !offered);
    }
    if ([...fields.kind].some((radio) => radio.checked && radio.disabled)) [...fields.kind].find((radio) => !radio.disabled).checked = true;
    for (const name of ["native", "children"]) {
      const offered = able.some((one) => one[name]);
      fields[name].disabled = !offered;
      if (!offered) fields[name].checked = false;
    }
    help.textContent = KINDS.find(([kind]) => kind === fields.kind.value)[2];
    const unmet = chosen?.needs.filter(({ met }) => !met).map(({ what, remedy }) => `${what}: not so. ${remedy ?? ""}`) ?? [];
    const warned = able.find((one) => one.warning && one.kinds.includes(fields.kind.value) && (chosen || able.filter((other) => other.kinds.includes(fields.kind.value)).length === 1));
    warning.textContent = [warned ? `${warned.name}: ${warned.warning}` : "", ...unmet].filter(Boolean).map(visible).join(" ");
    const reason = session.may_capture
      ? known !== null && known.length === 0 ? "No agent runs that could be captured." : ""
      : `${session.user} is a viewer: capturing needs the role operator.`;
    why.textContent = reason;
    button.disabled = busy || reason !== "" || known === null;
    dump.disabled = reason !== "" || known === null;
    button.textContent = busy ? "Capturing…" : "Capture";
  }
  node.addEventListener("change", update);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    on.capture(values());
  });
  dump.addEventListener("click", () => on.threads(agent.value, dump));
  update();

  function values() {
    const kind = fields.kind.value;
    // one that is warned about is taken when asked for by name alone: choosing its kind asks for it
    const only = backends.filter((one) => one.available && one.kinds.includes(kind));
    const name = backend.value || (only.length > 0 && only.every((one) => one.warning) ? only[0].name : undefined);
    return {
      agent: agent.value, seconds: Number(fields.seconds.value), rate: Number(fields.rate.value), kind, backend: name,
      native: fields.native.checked || undefined, children: fields.children.checked || undefined,
    };
  }
  return {
    node,
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
    backends(found) {
      backends = found;
      refill(backend, el("option", { value: AUTOMATIC }, "The first that can"), found.map((one) =>
        el("option", { value: one.name, disabled: !one.available }, `${one.name} ${one.available ? one.version ?? "" : "(not installed)"}`)));
      update();
    },
  };
}
