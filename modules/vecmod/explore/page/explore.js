/** The page: puts its parts together, and shows in each of them what the address says. */

import * as asking from "./asking.js";
import * as details from "./details.js";
import { by, icon, notice } from "./dom.js";
import * as drop from "./drop.js";
import { firstSteps } from "./firststeps.js";
import * as grid from "./grid.js";
import * as imports from "./import.js";
import * as map from "./map.js";
import { asksSomething, go, onChange, read, tell } from "./place.js";
import * as results from "./results.js";
import * as status from "./status.js";
import * as tags from "./tags.js";

const THEMES = [
  ["", "auto", "as the system"],
  ["light", "light", "light"],
  ["dark", "dark", "dark"],
];

/** Show a place. Everything the page shows follows from it and from the last status. */
function show(place) {
  if (!status.latest()) return undefined;
  const collection = status.collectionOf(place);
  status.show();
  for (const part of [asking, drop, imports]) part.fit(collection);
  if (!collection || collection.error) return missing(place, collection);
  const full = { ...place, collection: collection.name };
  document.title = `${place.text || collection.name} – vecmod explore`;
  showView(full, collection);
  asking.show(full);
  by("distance").classList.toggle("idle", !asksSomething(full));
  tags.show(collection, full.tag);
  results.show(full, collection);
  details.show(full);
  return undefined;
}

function showView(place, collection) {
  const mapped = place.view === "map";
  by("results").dataset.view = place.view;
  by("view-grid").setAttribute("aria-pressed", String(!mapped));
  by("view-map").setAttribute("aria-pressed", String(mapped));
  map.show(mapped ? collection : null, place.like);
}

function missing(place, broken) {
  const { collections, store_error: storeError } = status.latest();
  map.show(null);
  tags.show(null, []);
  // The reason stands above already.
  if (broken || (storeError && !collections.length)) return results.instead("Nothing to show", "");
  if (!collections.length) return results.instead("No collection yet", firstSteps(status.latest()));
  return results.instead(
    "No such collection",
    notice({
      title: `There is no collection ${place.collection}`,
      words: `The store has ${collections.map(({ name }) => name).join(", ")}. Choose one of them at the top.`,
    }),
  );
}

function typed(event) {
  const busy = event.target.closest("input, select, textarea, dialog");
  if (event.key !== "/" || busy || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  asking.focus();
}

function skipped(event) {
  event.preventDefault();
  if (!grid.focus()) by("results").focus();
}

function showTheme() {
  const chosen = document.documentElement.dataset.theme ?? "";
  const [, image, words] = THEMES.find(([name]) => name === chosen) ?? THEMES[0];
  by("theme").replaceChildren(icon(image));
  Object.assign(by("theme"), { ariaLabel: `Theme: ${words}`, title: `Theme: ${words}` });
  map.restyle();
}

function nextTheme() {
  const at = THEMES.findIndex(([name]) => name === (document.documentElement.dataset.theme ?? ""));
  const [name] = THEMES[(at + 1) % THEMES.length];
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  showTheme();
  try {
    localStorage.setItem("theme", name);
  } catch {
    // A browser that keeps nothing for pages: until it is closed.
  }
}

history.scrollRestoration = "manual";
onChange(show);
results.onItems(map.mark);
results.onItems(details.refresh);
imports.onFinished(async () => {
  // The count that the server tells may be a moment old.
  await new Promise((resolve) => setTimeout(resolve, 700));
  await status.look(tell);
  results.refresh();
});
by("view-grid").addEventListener("click", () => go({ view: "grid" }));
by("view-map").addEventListener("click", () => go({ view: "map" }));
by("skip").addEventListener("click", skipped);
by("theme").addEventListener("click", nextTheme);
addEventListener("keydown", typed);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", map.restyle);
showTheme();
status.watch(() => show(read()), imports.isBusy);
