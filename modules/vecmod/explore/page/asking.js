/** The search line: words, or a file that is dropped, pasted or picked, or an item to find more like. */

import * as api from "./api.js";
import { button, by, canDrop, element, icon } from "./dom.js";
import { ask, go, read } from "./place.js";
import { keep, keyAs, modalitiesOf, nameOf, recall, taken } from "./queryfile.js";

const words = by("words");
const chip = by("chip");
const fault = by("query-error");
let collection = null;
let shown = "";

/** Make the line fit what a collection can be asked by. */
export function fit(chosen) {
  collection = chosen;
  const { media, accept, words: told } = taken(chosen?.searches ?? []);
  const text = Boolean(chosen?.searches.includes("text"));
  by("pick-file").accept = accept;
  by("pick").disabled = media.length === 0;
  by("go").disabled = words.disabled = !text;
  by("query").classList.toggle("wordless", !text);
  by("words-label").textContent = text ? "Search in words" : `Search by ${told}`;
  words.placeholder = placeholder(text, told);
  const pick = media.length ? `Search by ${told} of yours` : "This collection is not searched by files";
  Object.assign(by("pick"), { ariaLabel: pick, title: pick });
}

function placeholder(text, told) {
  if (!collection) return "Nothing to search yet";
  if (!text) return canDrop() ? `Drop, paste or choose ${told}` : `Choose ${told}`;
  return told && canDrop() ? `Say what you look for, or drop ${told}` : "Say what you look for";
}

/** Show what is asked now. */
export function show(place) {
  fault.textContent = "";
  if (document.activeElement !== words || place.text) words.value = place.text;
  const asked = JSON.stringify([place.collection, place.like, place.file]);
  if (asked === shown) return;
  shown = asked;
  chip.hidden = !(place.like || place.file);
  if (place.file) showFile(place.file);
  else if (place.like) showItem(place.collection, place.like);
}

function showFile(key) {
  const { file, picture, modality } = recall(key) ?? { file: { name: "file" }, picture: "", modality: "other" };
  const others = file.size === undefined ? [] : modalitiesOf(file, collection?.searches ?? []);
  fillChip(picture, modality, file.name, others.length > 1 ? asWhat(key, modality, others) : null);
}

async function showItem(name, id) {
  fillChip("", "like", "like an item");
  const asked = shown;
  try {
    const item = await api.item(name, id);
    if (asked === shown) fillChip(api.thumbnail(item.thumbnail, 64), item.kind, `like ${item.title}`);
  } catch {
    // The hits, or the error in their place, say more.
  }
}

function asWhat(key, modality, others) {
  const options = others.map((one) => element("option", { value: one, selected: one === modality }, nameOf(one)));
  const choice = element("select", { ariaLabel: "Search by it as" }, ...options);
  choice.addEventListener("change", () => go({ file: keyAs(key, choice.value) }));
  return choice;
}

function fillChip(picture, kind, title, choice = null) {
  const image = picture
    ? element("img", { src: picture, alt: "", width: 28, height: 28 })
    : icon(kind === "like" ? "like" : iconOf(kind));
  const remove = button({ image: "close", label: "Remove it from the search", className: "quiet", onclick: removed });
  chip.replaceChildren(image, element("span", { title }, title), ...(choice ? [choice] : []), remove);
}

const iconOf = (kind) =>
  ["video", "audio"].includes(kind) ? kind : ["image", "thermal", "depth"].includes(kind) ? "picture" : "other";

function removed() {
  ask({});
  focus();
}

export const focus = () => (words.disabled ? by("pick") : words).focus();

/** Search by a file, or say beside the line why not. */
export function askByFile(file, more = 0) {
  fault.textContent = "";
  if (!collection) return;
  const modalities = modalitiesOf(file, collection.searches);
  const { words: told } = taken(collection.searches);
  if (!modalities.length) {
    fault.textContent =
      `${collection.name} is not searched by files such as ${file.name || "this"}` +
      (told ? `; give it ${told}.` : "; search in words.");
    return;
  }
  ask({ file: keep(file, modalities[0]) });
  if (more) fault.textContent = `One file at a time: this is ${file.name}, the other ${more} were left alone.`;
}

function submitted(event) {
  event.preventDefault();
  const text = words.value.trim();
  if (text || read().text) ask({ text });
}

function pasted(event) {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (!file || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  askByFile(file);
}

by("query").addEventListener("submit", submitted);
by("pick").addEventListener("click", () => by("pick-file").click());
// Without words to type the line itself is what one clicks to choose.
by("query").addEventListener(
  "click",
  ({ target }) => words.disabled && !target.closest("button, select, .chip") && by("pick").click(),
);
by("pick-file").addEventListener("change", ({ target }) => {
  if (target.files.length) askByFile(target.files[0]);
  target.value = "";
});
// The cross that browsers draw into a search field.
words.addEventListener("search", () => words.value === "" && read().text && ask({}));
addEventListener("paste", pasted);
