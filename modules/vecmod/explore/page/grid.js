/** Items as a grid: cards, and one place of focus that arrow keys move. */

import * as api from "./api.js";
import { button, by, distanceText, element, icon } from "./dom.js";
import { ask, go } from "./place.js";

const grid = by("grid");
const IMAGE_SIZE = 256;

/** What a placeholder says where no thumbnail is. */
const picturesAs = { image: "picture", video: "video", audio: "audio", other: "other" };

/**
 * @param {object[]} items
 * @param {{append?: boolean, scale?: number}} options whether to keep what is there; the distance at a bar's end
 */
export function show(items, { append = false, scale = 2 } = {}) {
  const cards = items.map((item) => card(item, scale));
  if (append) grid.append(...cards);
  else grid.replaceChildren(...cards);
  const opens = openers();
  if (opens.length && !opens.some((one) => one.tabIndex === 0)) opens[0].tabIndex = 0;
}

function card(item, scale) {
  const far = item.distance !== undefined;
  const open = element(
    "button",
    { type: "button", className: "open", tabIndex: -1, onclick: () => go({ open: item.id }) },
    thumbnail(item),
    element("span", { className: "title" }, item.title),
    far ? bar(item.distance, scale) : null,
  );
  open.ariaLabel = far ? `${item.title}, distance ${distanceText(item.distance)}` : item.title;
  open.setAttribute("aria-keyshortcuts", "Enter m");
  const like = button({
    image: "like",
    label: `More like ${item.title}`,
    className: "like",
    onclick: () => ask({ like: item.id }),
  });
  like.title = "More like this (m)";
  like.tabIndex = -1;
  return element("li", { data: { id: item.id, ...(far ? { distance: item.distance } : {}) } }, open, like);
}

function thumbnail(item) {
  const frame = element("span", { className: `thumb ${item.kind}` });
  const missing = () => frame.replaceChildren(icon(picturesAs[item.kind]));
  const source = api.thumbnail(item.thumbnail, IMAGE_SIZE);
  if (!source) {
    missing();
    return frame;
  }
  frame.append(
    element("img", {
      loading: "lazy",
      decoding: "async",
      alt: "",
      width: IMAGE_SIZE,
      height: IMAGE_SIZE,
      onerror: missing,
      src: source,
    }),
  );
  if (item.kind !== "image") frame.append(icon(picturesAs[item.kind]));
  return frame;
}

function bar(distance, scale) {
  const made = element(
    "span",
    { className: "bar", title: `cosine distance ${distance.toFixed(4)}: shorter is nearer` },
    element("i"),
    element("b", {}, distanceText(distance)),
  );
  made.style.setProperty("--part", String(Math.min(1, distance / scale)));
  return made;
}

const openers = () => [...grid.querySelectorAll(".open")];
const idOf = (node) => node.closest("li")?.dataset.id;

/** Focus the card of an item; if it is not there the first, which is not scrolled to. False if there is none. */
export function focus(id = "") {
  const opens = openers();
  const chosen = opens.find((one) => idOf(one) === id);
  if (chosen) move(chosen);
  else if (opens.length) rove(opens[0]).focus({ preventScroll: true });
  return opens.length > 0;
}

function move(to) {
  rove(to).focus();
  to.scrollIntoView({ block: "nearest" });
}

/** Make a card the one that Tab leads to. */
function rove(to) {
  for (const one of grid.querySelectorAll('.open[tabindex="0"]')) one.tabIndex = -1;
  to.tabIndex = 0;
  return to;
}

const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;

/** Where a key leads from card `at` of `all`; undefined if it is none that moves. */
function target(key, at, all) {
  const row = columns();
  const steps = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - row,
    ArrowDown: at + row,
    Home: 0,
    End: all - 1,
    PageUp: at - 3 * row,
    PageDown: at + 3 * row,
  };
  if (!(key in steps)) return undefined;
  // Up from the first row and down from the last stay in their column.
  if (key === "ArrowUp" && steps[key] < 0) return at;
  if (key === "ArrowDown" && steps[key] >= all && Math.floor(at / row) === Math.floor((all - 1) / row)) return at;
  return Math.max(0, Math.min(all - 1, steps[key]));
}

function pressed(event) {
  const open = event.target.closest("li")?.querySelector(".open");
  if (!open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "m") {
    event.preventDefault();
    ask({ like: idOf(open) });
    return;
  }
  const opens = openers();
  const to = target(event.key, opens.indexOf(open), opens.length);
  if (to === undefined) return;
  event.preventDefault();
  move(opens[to]);
}

grid.addEventListener("keydown", pressed);
grid.addEventListener("focusin", ({ target: inside }) => {
  if (inside.classList.contains("open")) rove(inside);
});

// Cards that were not drawn yet are as high as those that were: the scroll bar tells the truth.
new ResizeObserver(() => {
  const first = grid.firstElementChild;
  if (first) grid.style.setProperty("--card", `${first.offsetHeight}px`);
}).observe(grid);
