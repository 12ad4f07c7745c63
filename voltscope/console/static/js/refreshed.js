// A page that is read again while somebody looks at it, and says how fresh it is.

import { notice, refill } from "/static/js/dom.js";

/**
 * Calls `read` now, every `every` ms, and when the page comes to sight again; `read` returns when what it shows is from,
 * in ms since the epoch. `fresh` says so, and `troubles` why it fails. Returns what ends it, and aborts `stop`.
 */
export function refreshed(read, every, { stop, troubles, fresh }) {
  let timer;

  async function again() {
    clearTimeout(timer);
    try {
      const at = await read();
      fresh.textContent = `As of ${new Date(at).toLocaleTimeString()}, read again every ${every / 1000} s.`;
    } catch (error) {
      if (error.name === "AbortError") return;
      refill(troubles, notice(error));
      fresh.textContent = "Not up to date.";
    }
    if (!document.hidden && !stop.signal.aborted) timer = setTimeout(again, every);
  }

  const onVisible = () => document.hidden || again();
  document.addEventListener("visibilitychange", onVisible);
  again();
  return () => {
    stop.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
  };
}
