/** What the page shows, kept in the address: back, forward, reload and bookmarks work. */

/**
 * @typedef {object} Place
 * @property {string} collection name, "" for the first
 * @property {string} text words to search by, or ""
 * @property {string} like id of the object to search by, or ""
 * @property {string} file key of the file to search by (see queryfile.js), or ""
 * @property {number|null} distance
 * @property {string[]} tag chosen tags, each "property:value"
 * @property {"grid"|"map"} view
 * @property {string} open id of the item in the dialog, or ""
 */

const listeners = [];

/** @returns {Place} */
export function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const distance = Number.parseFloat(given.get("distance"));
  return {
    collection: given.get("collection") ?? "",
    text: given.get("text") ?? "",
    like: given.get("like") ?? "",
    file: given.get("file") ?? "",
    distance: distance >= 0 && distance <= 2 ? distance : null,
    tag: given.getAll("tag"),
    view: given.get("view") === "map" ? "map" : "grid",
    open: given.get("open") ?? "",
  };
}

function write(place) {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(place)) {
    for (const one of [value].flat()) {
      if (one !== "" && one !== null && !(name === "view" && one === "grid")) fields.append(name, one);
    }
  }
  return `#${fields}`;
}

/**
 * Change some of it. A step that one wants to go back from is a new entry of the history, unless `replace` is true.
 * @param {Partial<Place>} changes
 */
export function go(changes, { replace = false } = {}) {
  const address = write({ ...read(), ...changes });
  if (address === (location.hash || "#")) return;
  const before = history.state?.steps ?? 0;
  history[replace ? "replaceState" : "pushState"]({ steps: replace ? before : before + 1 }, "", address);
  tell();
}

/** A new question; whatever the last one was asked by is forgotten, the collection and the view stay. */
export const ask = (by) => go({ text: "", like: "", file: "", open: "", ...by });

/** Undo a step that was made here; where the page was entered at this very place, change it instead. */
export function back(changes) {
  if (history.state?.steps) history.back();
  else go(changes, { replace: true });
}

export const asksSomething = (place) => Boolean(place.text || place.like || place.file);

/** What decides which items are shown, as text. */
export const question = ({ collection, text, like, file, distance, tag }) =>
  JSON.stringify([collection, text, like, file, distance, tag]);

/** The chosen tags in the words of the module host; null for none. */
export function filterOf({ tag }) {
  const chosen = {};
  for (const one of tag) {
    const [property, ...rest] = one.split(":");
    (chosen[property] ??= []).push(rest.join(":"));
  }
  const parts = Object.entries(chosen).map(([name, values]) => [
    name,
    values.length > 1 ? { $all: values } : values[0],
  ]);
  return parts.length ? Object.fromEntries(parts) : null;
}

export const onChange = (listener) => listeners.push(listener);

export function tell() {
  const place = read();
  for (const listener of listeners) listener(place);
}

addEventListener("popstate", tell);
