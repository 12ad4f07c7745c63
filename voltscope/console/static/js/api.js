// Requests to our own server: JSON in, JSON or an ApiError out; a session that ended leads to the login page.

export class ApiError extends Error {
  constructor({ code, message, remedy, position }, status) {
    super(message);
    Object.assign(this, { code, remedy, position, status });
  }
}

export function toLogin() {
  const next = location.pathname + location.search;
  location.assign(`/login?next=${encodeURIComponent(next)}`);
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ code: "offline", message: "The console's server does not answer.", remedy: "It may be restarting; this page tries again." }, 0);
  }
  if (answer.status === 401) {
    toLogin();
    return new Promise(() => {}); // the page is being left
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  throw new ApiError(body?.error ?? { code: "bad-answer", message: `The console answered ${answer.status}.` }, answer.status);
}

export const get = (path, signal) => ask(path, { signal, headers: { Accept: "application/json" } });

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const remove = (path) => ask(path, { method: "DELETE" });

/** A query string of what is set. */
export function query(parameters) {
  const set = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(set).toString();
  return text ? `?${text}` : "";
}
