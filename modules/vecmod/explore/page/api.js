/** The explorer's routes as functions. All throw `Refused`, whose message says what to do. */

export class Refused extends Error {
  /** @param {string} message @param {string} code stable word of the server, or "unreachable" @param {number} status */
  constructor(message, code, status = 0, wait = 0) {
    super(message);
    Object.assign(this, { code, status, wait });
  }
}

const GONE =
  "The explorer does not answer. It runs in a terminal: look there, start it again with “vecmod explore”, then go on here.";

async function call(path, { method = "GET", body = undefined, signal = undefined } = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, body, signal, headers: { "X-Requested-With": "vecmod" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(GONE, "unreachable");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told = await answer.json().catch(() => ({}));
  const words = told.error ?? `The explorer answered ${answer.status} ${answer.statusText}; its terminal may say more.`;
  throw new Refused(words, told.code ?? "unknown", answer.status, Number(answer.headers.get("Retry-After")));
}

const of = (collection) => `/api/collections/${encodeURIComponent(collection)}`;
const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== null)).toString();

export const status = () => call("/api/status");
export const item = (collection, id) => call(`${of(collection)}/items/${encodeURIComponent(id)}`);
export const tags = (collection, property) => call(`${of(collection)}/tags?${query({ property })}`);
export const map = (collection, signal) => call(`${of(collection)}/map`, { signal });

export function items(collection, { limit, offset, filter }, signal) {
  const asked = query({ limit, offset, filter: filter && JSON.stringify(filter) });
  return call(`${of(collection)}/items?${asked}`, { signal });
}

export function search(collection, asked, signal) {
  return call(`${of(collection)}/search`, { method: "POST", body: JSON.stringify(asked), signal });
}

export const beginImport = (collection) => call(`${of(collection)}/imports`, { method: "POST", body: "{}" });
export const importState = (id) => call(`/api/imports/${id}`);
export const endImport = (id) => call(`/api/imports/${id}/end`, { method: "POST" });
export const stopImport = (id) => call(`/api/imports/${id}`, { method: "DELETE" });
export const sendFile = (id, path, file, signal) =>
  call(`/api/imports/${id}/files?${query({ path })}`, { method: "PUT", body: file, signal });

/** Where a thumbnail of at most `size` CSS pixels is, for this screen; null if the item has none. */
export function thumbnail(place, size) {
  return place && `${place}${place.includes("?") ? "&" : "?"}size=${size * (devicePixelRatio > 1.3 ? 2 : 1)}`;
}
