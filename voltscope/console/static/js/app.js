// The frame around the pages: routing by path, session, colours.

import { get } from "/static/js/api.js";
import { el, notice, refill } from "/static/js/dom.js";
import { elsewhereLinks } from "/static/js/elsewhere.js";
import { visible } from "/static/js/format.js";
import { keyboard } from "/static/js/keyboard.js";
import { PAGES, pageAt } from "/static/js/pages.js";

const main = document.getElementById("main");
let session = null;
let leave = () => {};
let outside = null;

/** Go to one of our pages without loading the frame again. */
function go(url, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  show({ focus: !replace });
}

function show({ focus = false } = {}) {
  leave();
  const { page, path, name, others } = pageAt(location.pathname);
  const parameters = new URLSearchParams(location.search);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === path) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone not all of them have room
    } else link.removeAttribute("aria-current");
  }
  document.title = `${page.title} · ${session.instance ?? session.site} · voltscope`;
  main.replaceChildren();
  leave = page.mount(main, { session, parameters, go }) ?? (() => {});
  if (!others) main.prepend(...ofAnother(name, parameters));
  outside.follow();
  if (focus) main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** A word of warning where an address, as of Grafana or Kibana, asks for a platform that is not this console's. */
function ofAnother(name, parameters) {
  const [site, instance] = ["site", "instance"].map((one) => parameters.get(one));
  if (!instance || !session.instance || (site === session.site && instance === session.instance)) return [];
  const [asked, own] = [[site, instance], [session.site, session.instance]].map((one) => visible(one.filter(Boolean).join(" / ")));
  return [notice({ message: `The address asks for ${asked}. ${name} here is of ${own} alone.`, remedy: "Open the console of that platform." }, "warning")];
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-route]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
window.addEventListener("popstate", () => show());

document.querySelector("nav").append(...PAGES.map(({ path, name }) => el("a", { href: path, "data-route": true }, name)));
const keys = keyboard((path) => session && go(path));
document.getElementById("keys").addEventListener("click", keys.open);

const button = document.getElementById("theme");
const NAMES = { system: ["◐", "Auto"], light: ["○", "Light"], dark: ["●", "Dark"] };
const label = (theme) => {
  const [shape, word] = NAMES[theme];
  button.replaceChildren(el("span", { "aria-hidden": "true" }, shape), el("span", { class: "word" }, ` ${word}`));
  button.setAttribute("aria-label", `${word} colours: change`);
};
label(window.voltscopeTheme.current());
button.addEventListener("click", () => label(window.voltscopeTheme.next()));

async function begin() {
  try {
    session = await get("/api/session");
  } catch (error) {
    refill(main, notice(error));
    setTimeout(begin, 5000);
    return;
  }
  document.getElementById("site").textContent = [session.site, session.instance].filter(Boolean).join(" / ");
  document.getElementById("user").textContent = `${session.user} (${session.role})`;
  const { prometheus } = session.links;
  document.getElementById("footer").replaceChildren(
    el("span", {}, `voltscope ${session.version}`),
    prometheus ? el("a", { href: prometheus, rel: "noreferrer", target: "_blank" }, "Prometheus") : "",
  );
  outside = elsewhereLinks(session);
  if (outside.node.hasChildNodes()) document.querySelector(".account").before(outside.node);
  show();
}

begin();
