/** What is found, or the first items where nothing is asked: fetched by pages, kept for going back. */

import * as api from "./api.js";
import { button, by, count, element, notice, plural, say } from "./dom.js";
import { howToFill } from "./files.js";
import * as grid from "./grid.js";
import * as limit from "./limit.js";
import { ask, asksSomething, filterOf, go, question, read } from "./place.js";
import { base64, recall } from "./queryfile.js";

const PAGE = 60;
// The server's own limit for one answer.
const MOST = 200;
const KEPT = 20;
// Past so many hits the answer has none of the distances that the slider would tell.
const DISTANCES = 1000;

const kept = new Map();
let now = null;
let running = null;
const listeners = [];

/** Listeners get the items that are shown, each time they change. */
export const onItems = (listener) => listeners.push(listener);
/** The items that are shown; none while others are fetched. */
export const shown = () => (running ? [] : (now?.items ?? []));

/** Show what a place asks for. */
export async function show(place, collection) {
  const key = question(place);
  // On the way to another question, and back before its answer came: nobody waits for that one any more.
  if (now?.key === key && running?.key !== key) stop();
  if (now?.key === key && now.collection.items === collection.items) return;
  if (now?.key === key) return changed(collection);
  if (now) now.scroll = scrollY;
  stop();
  const known = kept.get(key);
  if (known?.collection.items === collection.items) return present(known, { scroll: known.scroll });
  await load(fresh(place, collection));
}

const fresh = (place, collection) => ({
  key: question(place),
  place,
  collection,
  items: [],
  distances: null,
  more: false,
  milliseconds: null,
});

/** Others fill the collection: what is looked at stays, until the one who looks wants the new. */
function changed(collection) {
  if (!now.items.length) return refresh(collection);
  now.collection = collection;
  headline(now);
  // The list was newer than the count.
  if (!asksSomething(now.place) && !now.more && now.items.length === collection.items) return undefined;
  const offer = button({ words: "Show what is new", className: "quiet", onclick: () => refresh() });
  by("summary").append(offer);
  return undefined;
}

/** Fetch again what is shown, where it is. */
export async function refresh(collection = now?.collection) {
  kept.clear();
  if (!now) return;
  await load({ ...fresh(now.place, collection), again: now.items.length, scroll: scrollY });
}

async function load(list) {
  stop();
  const mine = Object.assign(new AbortController(), { key: list.key });
  running = mine;
  const later = setTimeout(() => by("results").classList.add("waiting"), 150);
  by("results").setAttribute("aria-busy", "true");
  const before = list.items.length;
  try {
    await fetchPage(list, mine.signal);
  } catch (error) {
    if (error.name === "AbortError" || running !== mine) return;
    failed(error, list);
    if (!(error instanceof api.Refused)) throw error;
  } finally {
    clearTimeout(later);
  }
  if (running !== mine) return;
  done();
  present(list, { before, scroll: list.scroll });
}

function stop() {
  running?.abort();
  done();
}

function done() {
  running = null;
  by("results").classList.remove("waiting");
  by("results").setAttribute("aria-busy", "false");
}

async function fetchPage(list, signal) {
  const { place, collection } = list;
  const first = list.items.length === 0;
  const limit = first ? Math.max(PAGE, Math.min(MOST, list.again ?? 0)) : PAGE;
  const page = { limit, offset: list.items.length, filter: filterOf(place) };
  const asked = asksSomething(place) && {
    ...(await queryOf(place)),
    ...page,
    distance: place.distance,
    distances: first,
  };
  const answer = asked
    ? await api.search(collection.name, asked, signal)
    : await api.items(collection.name, page, signal);
  list.items.push(...(answer.hits ?? answer.items));
  list.more = answer.more;
  if (first) list.milliseconds = answer.milliseconds ?? null;
  if (first) list.distances = asked ? (answer.distances ?? list.items.map((hit) => hit.distance)) : null;
}

async function queryOf({ text, like, file }) {
  if (text) return { by: "text", text };
  if (like) return { by: "object", id: like };
  const found = recall(file);
  if (!found)
    throw new api.Refused(
      "Files to search by are not kept when a page is loaded again: drop it here once more.",
      "file_gone",
    );
  return { by: found.modality, data: await base64(found.file) };
}

function present(list, { before = 0, scroll = 0 } = {}) {
  now = list;
  const focused = document.activeElement?.closest("#grid > li")?.dataset.id;
  kept.delete(list.key);
  kept.set(list.key, list);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  by("message").replaceChildren();
  const scale = Math.max(0.1, list.distances?.at(-1) ?? 2);
  grid.show(list.items.slice(before), { append: before > 0, scale });
  by("more").hidden = !list.more;
  limit.show(list.distances, complete(list), list.place.distance);
  headline(list, before);
  if (!list.items.length) by("message").replaceChildren(nothing(list));
  if (!before) scrollTo({ top: scroll, behavior: "instant" });
  // Beside the map the list scrolls by itself.
  if (!before) by("found").scrollTop = 0;
  if (!before && focused) grid.focus(focused);
  for (const listener of listeners) listener(list.items);
  // Observed anew, it tells at once whether the end is still near: high screens take several pages.
  nearEnd.unobserve(by("more"));
  nearEnd.observe(by("more"));
}

function headline(list, before = 0) {
  const { place, collection, items, more, milliseconds } = list;
  const number = count(items.length);
  let words = place.tag.length
    ? `${number}${more ? "+" : ""} with these tags`
    : `${plural(Math.max(items.length, collection.items), "item")} in ${collection.name}`;
  if (asksSomething(place)) words = more ? `${number} nearest of ${withinLimit(list)}` : plural(items.length, "hit");
  const told = milliseconds === null ? "" : ` in ${Math.max(1, Math.round(milliseconds))} ms`;
  by("summary").replaceChildren(words, element("small", {}, told));
  by("results").classList.remove("coming");
  say(before ? `${number} shown` : words);
}

const complete = ({ distances, collection }) =>
  !distances || distances.length < DISTANCES || collection.items <= DISTANCES;

function withinLimit(list) {
  const { distances, place } = list;
  const within = distances.filter((one) => place.distance === null || one <= place.distance + 1e-5).length;
  return `${count(within)}${within === distances.length && !complete(list) ? "+" : ""}`;
}

/** Why nothing is there, and what to do. */
function nothing({ place, collection, distances }) {
  const searched = asksSomething(place);
  if (!collection.items) return empty(collection);
  const actions = [];
  if (place.distance !== null && searched)
    actions.push(button({ words: "Lift the distance limit", onclick: () => go({ distance: null }) }));
  if (place.tag.length) actions.push(button({ words: "Clear the tags", onclick: () => go({ tag: [] }) }));
  const nearest = distances?.length ? `The nearest is ${distances[0].toFixed(2)} away.` : "";
  const words = place.tag.length ? "No item has all of these tags." : "The store answered with nothing.";
  return notice({ kind: "hint", title: searched ? "No hits" : "No items", words: nearest || words, actions });
}

function empty(collection) {
  const takes = collection.inserts.length > 0;
  const start = button({
    image: "import",
    words: "Import",
    className: "button strong",
    onclick: () => by("import-open").click(),
  });
  const words = takes
    ? `${howToFill(collection.inserts)} Each gets a vector from ${collection.module}, and can be found a moment later.`
    : "It takes no files by itself. Fill it with a program of yours.";
  return notice({ kind: "hint", title: `${collection.name} is empty`, words, actions: takes ? [start] : [] });
}

/** There is nothing to show: a message instead. */
export function instead(title, message) {
  now = null;
  stop();
  grid.show([]);
  by("more").hidden = true;
  by("summary").textContent = title;
  by("results").classList.remove("coming");
  by("message").replaceChildren(message);
  limit.show(null, true, null);
  for (const listener of listeners) listener([]);
}

function failed(error, list) {
  const again = button({ words: "Try again", onclick: () => load(list) });
  if (list.items.length) {
    // What is there stays; only the rest is missing.
    by("more").hidden = true;
    by("message").replaceChildren(
      notice({ title: "The next ones did not come", words: error.message, actions: [again] }),
    );
    return done();
  }
  const clear = button({ words: "Back to all items", onclick: () => ask({ tag: [], distance: null }) });
  const gone = error.code === "file_gone";
  instead(
    "Not answered",
    notice({
      title: gone ? "The file is gone" : "That did not work",
      words: error.message,
      actions: gone ? [clear] : [again, clear],
    }),
  );
  return undefined;
}

const nextPage = () => now?.more && !running && load(now);
by("more").addEventListener("click", nextPage);
// Who scrolls needs no button.
const nearEnd = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && nextPage(), {
  rootMargin: "600px",
});
nearEnd.observe(by("more"));
