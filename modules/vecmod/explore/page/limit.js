/** The distance limit: a slider over a histogram of the distances, and how many hits it leaves. */

import { by, count, distanceText } from "./dom.js";
import { go } from "./place.js";

const BINS = 50;
const control = by("distance");
const slider = by("limit");
const shown = by("limit-value");
let distances = [];
let complete = false;
let settled = 0;

/**
 * @param {number[]|null} given ascending distances of the nearest; null while nothing is asked
 * @param {boolean} all whether these are all there are
 * @param {number|null} limit
 */
export function show(given, all, limit) {
  control.inert = given === null;
  distances = given ?? [];
  complete = all;
  const top = Math.min(2, Math.max(0.1, Math.ceil((distances.at(-1) ?? 2) * 10 + 1e-9) / 10));
  slider.max = String(top);
  slider.value = String(limit ?? top);
  by("bars").setAttribute("d", outline(top));
  tell(limit);
}

/** The histogram as a path: counts by the square root, so that single near hits are seen beside many far ones. */
function outline(top) {
  const bins = new Array(BINS).fill(0);
  for (const one of distances) bins[Math.min(BINS - 1, Math.floor((one / top) * BINS))] += 1;
  const highest = Math.sqrt(Math.max(1, ...bins));
  const width = 100 / BINS;
  return bins
    .map((number, i) =>
      number ? `M${i * width} 16v${-(2 + (14 * Math.sqrt(number)) / highest)}h${width * 0.8}V16z` : "",
    )
    .join("");
}

const atTop = () => Number(slider.value) >= Number(slider.max) - 1e-9;
const chosen = () => (atTop() ? null : Number(slider.value));

function tell(limit) {
  const left = distances.filter((one) => limit === null || one <= limit + 1e-5).length;
  const number = `${count(left)}${!complete && left === distances.length && left ? "+" : ""}`;
  const words = control.inert
    ? "after a search"
    : `${limit === null ? "no limit" : `≤ ${distanceText(limit)}`} · ${number}`;
  shown.textContent = words;
  slider.setAttribute(
    "aria-valuetext",
    control.inert ? words : `${limit === null ? "no limit" : limit.toFixed(2)}, ${number} hits`,
  );
  control.style.setProperty("--at", `${(100 * Number(slider.value)) / Number(slider.max)}%`);
}

/** Hits beyond the limit fade while the slider moves; the server answers when it rests. */
slider.addEventListener("input", () => {
  const limit = chosen();
  tell(limit);
  for (const card of document.querySelectorAll("#grid > [data-distance]")) {
    card.classList.toggle("beyond", limit !== null && Number(card.dataset.distance) > limit + 1e-5);
  }
  clearTimeout(settled);
  settled = setTimeout(() => go({ distance: limit }, { replace: true }), 200);
});
