// The live tail: what arrives goes on top, one change of the page a frame, however much it is.

import { get, query, toLogin } from "/static/js/api.js";

const RETRY_MS = 3000;

/** `show(records)`: oldest first. `trouble(error)`, `state(words)` ("" when all is well). */
export function tail({ show, trouble, state }) {
  let source = null;
  let wanted = null;
  let last = null;
  let waiting = [];
  let frame = 0;
  let retry = 0;

  function open() {
    source = new EventSource(`/api/logs/tail${query({ ...wanted, after: last })}`);
    source.addEventListener("record", (event) => {
      waiting.push(JSON.parse(event.data));
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        const arrived = waiting.splice(0);
        last = arrived.at(-1).id;
        show(arrived);
      });
    });
    source.addEventListener("open", () => state(""));
    source.addEventListener("trouble", (event) => {
      trouble(JSON.parse(event.data).error);
      close();
    });
    source.addEventListener("error", () => {
      state("The live tail was interrupted: connecting again…");
      if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      // Refused: a request that can say why (or lead to the login page).
      get("/api/session").then(
        () => { retry = setTimeout(() => source?.readyState === EventSource.CLOSED && open(), RETRY_MS); },
        (error) => (error.status === 401 ? toLogin() : trouble(error)),
      );
    });
  }

  function close() {
    source?.close();
    source = null;
    waiting = [];
    cancelAnimationFrame(frame);
    clearTimeout(retry);
    frame = 0;
  }

  return {
    close,
    /** Follow what `asked` finds, from behind the record `after` on. */
    follow(asked, after) {
      close();
      [wanted, last] = [asked, after];
      open();
    },
  };
}
