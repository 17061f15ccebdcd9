/** The map of a collection: near on it is alike. Pointer, touch, wheel and keyboard; a point searches for more like it. */

import * as api from "./api.js";
import { Camera } from "./camera.js";
import { by, button, count, element, icon, notice, plural } from "./dom.js";
import { Drawing } from "./mapdraw.js";
import { ask, asksSomething, go, read, tell } from "./place.js";

const canvas = by("canvas");
const tip = by("map-tip");
const camera = new Camera();
const drawing = new Drawing(canvas, camera, () => redraw());
const pointers = new Map();
const NOTHING = "Nothing to place yet: import something.";
let shownOf = "";
let fetching = null;
let items = [];
let marked = null;
let frame = 0;
let moved = 0;

/** Show the map of a collection, or none. */
export async function show(collection, like) {
  by("map").hidden = !collection;
  if (!collection) return undefined;
  const now = `${collection.name} ${collection.items}`;
  if (now === shownOf) return redraw();
  const other = shownOf.split(" ")[0] !== collection.name;
  shownOf = now;
  fetching?.abort();
  fetching = new AbortController();
  if (other) {
    drawing.setPoints([]);
    camera.all();
    note(collection.items ? `Placing ${plural(collection.items, "item")}…` : NOTHING);
  }
  try {
    const answer = await api.map(collection.name, fetching.signal);
    drawing.setPoints(answer.points);
    marked = answer.points.find(({ id }) => id === (marked?.id ?? like)) ?? null;
    markNearest();
    placed(collection, answer);
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
  }
  return redraw();
}

function placed(collection, { shown, of, points }) {
  canvas.setAttribute("aria-label", `Map of ${collection.name}: ${plural(points.length, "point")}`);
  const some = shown < of ? `${count(shown)} of ${count(of)} items. ` : "";
  note(points.length ? `${some}Near is alike; a click searches for more.` : NOTHING);
  performance.mark("map-placed");
}

function failed(error) {
  shownOf = "";
  const again = button({ words: "Try again", onclick: tell });
  by("map-note").replaceChildren(notice({ title: "No map", words: error.message, actions: [again] }));
}

const note = (words) => by("map-note").replaceChildren(words);

/** Let the items of the list stand out on the map. */
export function mark(found) {
  items = found;
  markNearest();
  redraw();
}

/** Where everything is a hit, nothing would stand out: the nearest do, or what the distance limit left. */
function markNearest() {
  const place = read();
  const most =
    place.distance === null ? Math.max(3, Math.min(24, Math.round(drawing.points.length / 4))) : items.length;
  drawing.setHits(new Set(asksSomething(place) ? items.slice(0, most).map(({ id }) => id) : []));
}

export function restyle() {
  drawing.restyle();
  redraw();
}

function redraw() {
  if (by("map").hidden || frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    if (drawing.resize()) drawing.draw(marked);
  });
}

const at = (event) => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

function pressed(event) {
  canvas.setPointerCapture(event.pointerId);
  if (!pointers.size) moved = 0;
  pointers.set(event.pointerId, at(event));
}

function dragged(event) {
  if (!pointers.has(event.pointerId)) return hover(event);
  const before = [...pointers.values()];
  pointers.set(event.pointerId, at(event));
  const after = [...pointers.values()];
  const [from, to] = [middle(before), middle(after)];
  moved += Math.hypot(to[0] - from[0], to[1] - from[1]);
  camera.pan(to[0] - from[0], to[1] - from[1]);
  if (after.length > 1) {
    moved = Infinity;
    camera.zoomAt(spread(after) / Math.max(1, spread(before)), ...to);
  }
  showTip(null);
  return redraw();
}

const middle = (places) => [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
const spread = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);

function released(event) {
  if (!pointers.delete(event.pointerId) || pointers.size || moved > 5 || event.type === "pointercancel") return;
  const point = drawing.pointAt(...at(event));
  if (point) like(point);
}

function like(point) {
  marked = point;
  showTip(null);
  ask({ like: point.id });
}

function hover(event) {
  const point = drawing.pointAt(...at(event));
  canvas.classList.toggle("over", Boolean(point));
  showTip(point);
}

function showTip(point) {
  if (tip.dataset.of === (point?.id ?? "")) return;
  tip.dataset.of = point?.id ?? "";
  tip.hidden = !point;
  if (!point) return;
  const source = api.thumbnail(point.thumbnail, 160);
  const picture = source
    ? element("img", {
        src: source,
        alt: "",
        width: 160,
        height: 120,
        onerror: () => picture.replaceWith(icon("picture")),
      })
    : icon("other");
  tip.replaceChildren(picture, element("span", {}, point.title));
  const [left, top] = camera.toScreen(point);
  const [x, y] = [
    left > camera.width / 2 ? left - 196 : left + 20,
    Math.max(8, Math.min(camera.height - 170, top - 75)),
  ];
  tip.style.transform = `translate(${Math.round(Math.max(4, Math.min(camera.width - 180, x)))}px, ${Math.round(y)}px)`;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
  "+": () => camera.zoomAt(1.5, ...focus()),
  "=": () => camera.zoomAt(1.5, ...focus()),
  "-": () => camera.zoomAt(1 / 1.5, ...focus()),
  0: () => camera.all(),
  Enter: () => marked && like(marked),
  m: () => marked && like(marked),
  o: () => marked && go({ open: marked.id }),
};

/** What zooming by key keeps in place. */
const focus = () => (marked ? camera.toScreen(marked) : []);

function typed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey) camera.pan(-80 * arrow[0], -80 * arrow[1]);
  else if (arrow) select(next(arrow));
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else return;
  event.preventDefault();
  redraw();
}

/** The nearest point in a direction, off to the side counting double; without a marked one the point in the middle. */
function next([right, down]) {
  const from = marked ?? camera.toWorld(camera.width / 2, camera.height / 2);
  const cost = (point) => {
    const [x, y] = [point.x - from.x, point.y - from.y];
    if (!marked) return Math.hypot(x, y);
    const ahead = x * right + y * down;
    const aside = Math.abs(x * down) + Math.abs(y * right);
    return ahead > 1e-9 && aside <= 2 * ahead ? ahead + 2 * aside : Infinity;
  };
  let best = null;
  let least = Infinity;
  for (const point of drawing.points) {
    const one = point === marked ? Infinity : cost(point);
    if (one < least) [best, least] = [point, one];
  }
  return best;
}

function select(point) {
  if (!point) return;
  marked = point;
  camera.reveal(point);
  showTip(null);
  showTip(point);
  by("map-said").textContent = point.title;
}

function zoomed(factor, event) {
  camera.zoomAt(factor, ...(event ? at(event) : []));
  showTip(null);
  redraw();
}

canvas.addEventListener("pointerdown", pressed);
canvas.addEventListener("pointermove", dragged);
canvas.addEventListener("pointerup", released);
canvas.addEventListener("pointercancel", released);
canvas.addEventListener("pointerleave", () => showTip(null));
canvas.addEventListener("keydown", typed);
canvas.addEventListener("blur", () => showTip(null));
canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    // A wheel's notch is 100 pixels or three lines; a pinch on a touchpad comes as a wheel with Ctrl, in small steps.
    const step = event.deltaY * (event.deltaMode ? 33 : 1) * (event.ctrlKey ? 8 : 1);
    zoomed(Math.exp(-Math.max(-300, Math.min(300, step)) / 400), event);
  },
  { passive: false },
);
by("zoom-in").addEventListener("click", () => zoomed(1.6));
by("zoom-out").addEventListener("click", () => zoomed(1 / 1.6));
by("zoom-all").addEventListener("click", () => {
  camera.all();
  showTip(null);
  redraw();
});
// A card that is pointed at or focused is ringed on the map.
for (const name of ["pointerover", "focusin"]) {
  by("grid").addEventListener(name, ({ target }) => {
    if (by("map").hidden) return;
    const id = target.closest("li")?.dataset.id;
    marked = drawing.points.find((point) => point.id === id) ?? marked;
    redraw();
  });
}
new ResizeObserver(() => redraw()).observe(canvas);
