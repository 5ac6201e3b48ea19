// Requests to the API: JSON there and back. What a page changes, it changes by these.

/** A refusal, as the API's problem document tells it. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/**
 * Ask the API.
 * @param {string} method
 * @param {string} path
 * @param {object} [options] body: what is sent as JSON; key: an Idempotency-Key; version: of what is to be changed; signal: stops it.
 * @returns {Promise<any>} the answer's JSON; null where it has none.
 * @throws {Refused} the API says no; or the server does not answer.
 */
export async function ask(method, path, { body, key, version, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key !== undefined) headers["Idempotency-Key"] = key;
  if (version !== undefined) headers["If-Match"] = version;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused({ title: document.body.dataset.failed, name: "unanswered", remedy: "" });
  }
  const isJson = /\bjson\b/.test(answer.headers.get("Content-Type") ?? "");
  const told = isJson ? await answer.json() : null;
  if (answer.status === 401 && !path.endsWith("/login")) {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  if (!answer.ok) throw new Refused(told ?? { title: `${answer.status} ${answer.statusText}`, name: "unexpected", remedy: "" });
  return told;
}

/** A key by which the API knows a request that is sent again. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
