// A session's stream: what is watched arrives here until it ends, or until nobody looks any more.

import { get, toLogin } from "/static/js/api.js";

const RETRY_MS = 2000;

/**
 * `on.session(session)`; `on.update(document, again)`: `again` when a connection has just begun, whose first document
 * tells what was told before; `on.trouble(error)`: it is over; `on.state(words)`: "" when all is well. Returns a stop.
 */
export function follow(id, on) {
  let source = null;
  let retry = 0;
  let over = false;
  let again = true;

  function finish() {
    over = true;
    source?.close();
    clearTimeout(retry);
  }
  const heard = (act) => (event) => {
    let document;
    try {
      document = JSON.parse(event.data);
    } catch {
      return; // cut off in the middle: what follows says why
    }
    act(document);
  };

  function open() {
    if (over) return;
    again = true;
    source = new EventSource(`/api/live/${id}/events`);
    source.addEventListener("open", () => {
      again = true;
      on.state("");
    });
    source.addEventListener("session", heard((session) => on.session(session)));
    source.addEventListener("update", heard((document) => {
      on.update(document, again);
      again = false;
    }));
    source.addEventListener("end", heard((session) => {
      finish();
      on.session(session);
    }));
    source.addEventListener("trouble", heard(({ error }) => {
      finish();
      on.trouble(error);
    }));
    source.addEventListener("error", () => {
      if (over) return;
      on.state("The stream was interrupted: connecting again…");
      if (source.readyState === EventSource.CLOSED) ask(); // else the browser tries again by itself
    });
  }

  /** Refused: a request that can say why. */
  async function ask() {
    try {
      const session = await get(`/api/live/${id}`);
      if (over) return;
      on.session(session);
      if (session.state === "ended") finish();
      else retry = setTimeout(open, RETRY_MS);
    } catch (error) {
      if (over) return;
      if (error.status === 401) return toLogin();
      if (error.status === 0 || error.status >= 502) retry = setTimeout(ask, RETRY_MS);
      else {
        finish();
        on.trouble(error);
      }
    }
  }

  open();
  return finish;
}
