/** The line at the bottom, the list of collections, and what to do when a service is missing. */

import * as api from "./api.js";
import { button, by, count, element, notice, plural, rateText } from "./dom.js";
import { go, read } from "./place.js";

const QUIET = 5000;
const BUSY = 1500;
const select = by("collection");
let told = "";
let last = null;

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
    await new Promise((resolve) => setTimeout(resolve, busy() ? BUSY : QUIET));
  }
}

export async function look(changed) {
  try {
    last = await api.status();
    show();
    const now = JSON.stringify(last.collections);
    if (now !== told) changed(last);
    told = now;
  } catch (error) {
    by("status").replaceChildren(element("span", { className: "dot bad" }), element("span", {}, "not connected"));
    by("service-fault").replaceChildren(notice({ title: "Not connected", words: error.message, actions: [button({ words: "Try again", onclick: () => look(changed) })] }));
    told = "";
  }
}

/** Show the status for the place where the page is. */
export function show() {
  if (!last) return;
  const chosen = collectionOf(read());
  fillSelect(chosen);
  by("status").replaceChildren(...last.services.map(serviceLine), ...facts(chosen));
  showFault(last.services.find(({ module, ready }) => module === chosen?.module && !ready));
}

function fillSelect(chosen) {
  const options = last.collections.map(({ name, items }) => element("option", { value: name }, `${name} · ${count(items)}`));
  const texts = (list) => [...list].map((option) => option.textContent).join();
  if (texts(options) !== texts(select.options)) select.replaceChildren(...(options.length ? options : [element("option", {}, "No collection")]));
  select.disabled = !options.length;
  if (chosen) select.value = chosen.name;
}

function serviceLine({ module, model, ready, reason }) {
  const words = ready ? (model ? `${module} · ${model}` : module) : `${module} not ready`;
  return element("span", { className: "service", title: ready ? "ready" : reason },
    element("span", { className: ready ? "dot good" : "dot bad" }), element("span", { className: "unseen" }, ready ? "ready: " : "not ready: "), words);
}

function facts(chosen) {
  const rate = last.items_per_second;
  return [
    chosen ? `${plural(chosen.items, "item")}` : "no collection",
    rate ? `${rateText(rate)} items/s` : "",
    last.store,
  ].filter(Boolean).map((words, i) => element("span", { className: i === 0 ? "" : "minor", title: words }, words));
}

let fault = "";

/** Rebuilt only when it changes: who listens hears it once. */
function showFault(service) {
  const now = JSON.stringify(service ?? "");
  if (now === fault && by("service-fault").childElementCount === (service ? 1 : 0)) return;
  fault = now;
  by("service-fault").replaceChildren(...(service ? [notice({
    title: `${service.module} does not answer`,
    words: `What is stored can be looked at; searches and imports wait for the service at ${service.url}. ${service.reason}`,
    command: `vecmod serve ${service.module} --port ${new URL(service.url).port || 80}`,
  })] : []));
}

select.addEventListener("change", () => go({ collection: select.value, text: "", like: "", file: "", tag: [], distance: null, open: "" }));
