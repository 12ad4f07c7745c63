// Colours of the style sheet for what is drawn on a canvas, in the theme that holds.

const dark = matchMedia("(prefers-color-scheme: dark)");
const known = new Map();
let probe = null;

/** A custom property such as `--accent`, as a colour a canvas takes. */
export function colour(name) {
  if (known.has(name)) return known.get(name);
  if (!probe?.isConnected) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${name})`;
  known.set(name, getComputedStyle(probe).color);
  return known.get(name);
}

/** Calls `act` when the theme changed; what it answers stops that. */
export function seen(act) {
  const changed = () => {
    known.clear();
    act();
  };
  const themes = new MutationObserver(changed);
  themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  dark.addEventListener("change", changed);
  return () => {
    themes.disconnect();
    dark.removeEventListener("change", changed);
  };
}
