/** The tag filter: what a collection's lists hold, with counts; the chosen ones must all be met. */

import * as api from "./api.js";
import { button, by, count, element } from "./dom.js";
import { go, read } from "./place.js";

const FEW = 12;
const place = by("tags");
let shown = "";
let known = [];
let all = false;
let fetched = false;

/** Show a collection's tags; they are read again when what it holds has changed. */
export async function show(collection, chosen) {
  const asked = collection?.tags.length ? `${collection.name} ${collection.items}` : "";
  if (asked === shown) return draw(chosen);
  if (asked.split(" ")[0] !== shown.split(" ")[0]) [known, all, fetched] = [[], false, false];
  shown = asked;
  draw(chosen);
  if (!asked) return undefined;
  try {
    const answers = await Promise.all(collection.tags.map((property) => tagsOf(collection.name, property)));
    if (asked !== shown) return undefined;
    fetched = true;
    known = answers.flat().sort((a, b) => b.count - a.count);
    draw(read().tag);
  } catch (error) {
    if (asked === shown) place.append(element("span", { className: "fault" }, `Tags: ${error.message}`));
    shown = "";
  }
  return undefined;
}

async function tagsOf(name, property) {
  const { tags } = await api.tags(name, property);
  return tags.map((tag) => ({ ...tag, key: `${property}:${tag.value}` }));
}

function draw(chosen) {
  // Chosen ones stay, even those that no longer exist: else nobody could take them away.
  const gone = chosen.filter((key) => !known.some((tag) => tag.key === key));
  const tags = [...known, ...gone.map((key) => ({ key, value: key.slice(key.indexOf(":") + 1), count: 0 }))];
  const seen = tags.filter((tag, i) => all || i < FEW || chosen.includes(tag.key));
  const focused = document.activeElement?.dataset.tag;
  // The room is kept while they are fetched, so that nothing below jumps.
  place.hidden = !shown || (fetched && tags.length === 0);
  place.replaceChildren(...seen.map((tag) => tagButton(tag, chosen.includes(tag.key))));
  if (tags.length > FEW)
    place.append(button({ words: all ? "Fewer" : `All ${count(tags.length)}`, className: "quiet", onclick: toggled }));
  if (chosen.length)
    place.append(
      button({ words: "Clear", label: "Clear the tags", className: "quiet", onclick: () => go({ tag: [] }) }),
    );
  if (focused) [...place.children].find((one) => one.dataset.tag === focused)?.focus();
}

function tagButton({ key, value, count: number }, pressed) {
  return element(
    "button",
    { type: "button", className: "tag", aria: { pressed }, data: { tag: key }, onclick: () => toggle(key) },
    value,
    " ",
    element("small", {}, count(number)),
  );
}

function toggle(key) {
  const { tag } = read();
  go({ tag: tag.includes(key) ? tag.filter((one) => one !== key) : [...tag, key] });
}

function toggled() {
  all = !all;
  draw(read().tag);
  place.lastElementChild?.focus();
}
