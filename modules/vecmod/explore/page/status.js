/** The line at the bottom, the list of collections, and what to do when a service is missing. */

import * as api from "./api.js";
import { button, by, count, element, notice, plural, rateText } from "./dom.js";
import { go, read } from "./place.js";

const QUIET = 5000;
const BUSY = 1500;
const SOON = 700;
const select = by("collection");
let told = "";
let last = null;
let looks = 0;
let answered = 0;
// Services that were not ready when they were last seen: a first look may be too early for all.
let doubted = new Set();

/** The collection that a place means, if it names none the first with items; null if there is none. */
export function collectionOf(place) {
  const all = last?.collections ?? [];
  const named = all.find(({ name }) => name === place.collection);
  return (place.collection ? named : (all.find(({ items }) => items) ?? all[0])) ?? null;
}

export const latest = () => last;

/** Ask, show, and tell `changed` when collections came, went or grew. Goes on for as long as the page is seen. */
export async function watch(changed, busy) {
  for (;;) {
    if (!document.hidden || !last) await look(changed);
    await new Promise((resolve) => setTimeout(resolve, pauseFor(busy())));
  }
}

const pauseFor = (busy) => (isDoubtful() ? SOON : busy ? BUSY : QUIET);
const isDoubtful = () => Boolean(last?.services.some((one) => !one.ready && !doubted.has(one.url)));

/** Ask once and show it, unless a later look was answered before. */
export async function look(changed) {
  const mine = (looks += 1);
  try {
    const heard = await api.status();
    if (mine < answered) return;
    answered = mine;
    doubted = new Set(last?.services.filter(({ ready }) => !ready).map(({ url }) => url));
    last = heard;
    show();
    const now = JSON.stringify(last.collections);
    if (now !== told) changed(last);
    told = now;
  } catch (error) {
    by("status").replaceChildren(element("span", { className: "dot bad" }), element("span", {}, "not connected"));
    by("service-fault").replaceChildren(
      notice({
        title: "Not connected",
        words: error.message,
        actions: [button({ words: "Try again", onclick: () => look(changed) })],
      }),
    );
    told = "";
  }
}

/** Show the status for the place where the page is. */
export function show() {
  if (!last) return;
  const chosen = collectionOf(read());
  fillSelect(chosen);
  const own = ({ module }) => module === chosen?.module;
  const services = [...last.services.filter(own), ...last.services.filter((one) => !own(one))];
  by("status").replaceChildren(...services.map((one) => serviceLine(one, own(one))), ...facts(chosen));
  showFault(chosen);
}

function fillSelect(chosen) {
  const options = last.collections.map(({ name, items }) =>
    element("option", { value: name }, `${name} · ${count(items)}`),
  );
  const texts = (list) => [...list].map((option) => option.textContent).join();
  if (texts(options) !== texts(select.options))
    select.replaceChildren(...(options.length ? options : [element("option", {}, "No collection")]));
  select.disabled = !options.length;
  if (chosen) select.value = chosen.name;
}

function serviceLine({ module, url, model, ready, reason }, own) {
  const state = ready ? "ready" : doubted.has(url) ? "not ready" : "asked";
  const dot = { ready: "dot good", "not ready": "dot bad", asked: "dot" }[state];
  return element(
    "span",
    { className: own ? "service" : "service other", title: ready ? `${url} is ready` : `${url}: ${reason}` },
    element("span", { className: dot }),
    element("span", { className: "unseen" }, `${state}: `),
    model ? `${module} · ${model}` : module,
  );
}

function facts(chosen) {
  const rate = last.items_per_second;
  return [
    element("span", { className: "count" }, chosen ? plural(chosen.items, "item") : "no collection"),
    rate ? element("span", {}, `${rateText(rate)} items/s`) : null,
    element("span", { className: "store", title: last.store }, last.store),
  ].filter(Boolean);
}

let fault = "";

/** What is in the way of the chosen collection. Rebuilt only when it changes: who listens hears it once. */
function showFault(chosen) {
  const service = last.services.find(
    ({ module, url, ready }) => module === chosen?.module && !ready && doubted.has(url),
  );
  const told = [storeFault(last.store_error), collectionFault(chosen), service && serviceFault(service)].filter(
    Boolean,
  );
  const now = JSON.stringify(told);
  if (now === fault && by("service-fault").childElementCount === told.length) return;
  fault = now;
  by("service-fault").replaceChildren(...told.map(notice));
}

const storeFault = (words) => words && { title: "The store does not answer", words };
const collectionFault = (chosen) => chosen?.error && { title: `${chosen.name} cannot be opened`, words: chosen.error };

const serviceFault = ({ module, url, reason }) => ({
  title: `${module} does not answer`,
  words: `What is stored can be looked at; searches and imports wait for the service at ${url}. ${sentence(reason)}`,
  command: `vecmod serve ${module} --port ${new URL(url).port || 80}`,
});

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");

select.addEventListener("change", () =>
  go({ collection: select.value, text: "", like: "", file: "", tag: [], distance: null, open: "" }),
);
