/** One item, large, in a dialog; the others of the list are a key away. */

import * as api from "./api.js";
import { button, by, copyButton, distanceText, element, icon, notice } from "./dom.js";
import { ask, back, go } from "./place.js";
import * as grid from "./grid.js";
import { shown } from "./results.js";

const dialog = by("details");
const SIZE = 1024;
let current = "";
// Whether it was opened from the grid, to which the focus then returns.
let fromGrid = false;

/** Show the item that the place has open, or close. */
export async function show({ collection, open }) {
  if (open === current) return;
  const last = current;
  current = open;
  if (!open) return close(last);
  const known = shown().find((item) => item.id === open);
  if (known) return fill(known);
  try {
    const item = await api.item(collection, open);
    if (current === open) fill(item);
  } catch (error) {
    if (current === open)
      present([heading("Not found"), notice({ title: "This item cannot be shown", words: error.message })]);
  }
  return undefined;
}

/** The list that the open item is part of has come: now it has neighbours, and maybe a distance. */
export function refresh(items) {
  const known = items.find((item) => item.id === current);
  if (known && dialog.open) fill(known);
}

function close(last) {
  dialog.close();
  if (fromGrid && shown().some((item) => item.id === last)) grid.focus(last);
}

function fill(item) {
  const like = button({
    image: "like",
    words: "More like this",
    className: "button strong",
    onclick: () => ask({ like: item.id }),
  });
  const facts = element(
    "div",
    { className: "facts" },
    heading(item.title),
    item.distance === undefined
      ? null
      : element("p", { className: "far" }, "distance ", element("b", {}, distanceText(item.distance))),
    element("p", { className: "actions" }, like, original(item)),
    properties(item),
  );
  present([stage(item), facts]);
}

const heading = (title) => element("h2", { id: "details-title" }, title);

function original(item) {
  if (!item.media || item.kind !== "image") return null;
  return element("a", { className: "button", href: item.media, target: "_blank", rel: "noopener" }, "Original");
}

function stage(item) {
  const made = element("div", { className: "stage" }, medium(item));
  const around = shown().map((one) => one.id);
  const at = around.indexOf(item.id);
  const steps = [
    ["left", "Previous", at - 1],
    ["right", "Next", at + 1],
  ];
  for (const [image, label, to] of steps) {
    if (at >= 0 && around[to])
      made.append(button({ image, label, className: `step ${image}`, onclick: () => step(around[to]) }));
  }
  return made;
}

function medium(item) {
  if (item.kind === "video" && item.media)
    return withFallback(element("video", { src: item.media, controls: true, preload: "metadata" }), item);
  if (item.kind === "audio" && item.media)
    return withFallback(element("audio", { src: item.media, controls: true }), item);
  const source = api.thumbnail(item.thumbnail, SIZE);
  return source ? withFallback(element("img", { src: source, alt: item.title }), item) : missing(item);
}

function withFallback(made, item) {
  made.addEventListener("error", () => made.replaceWith(missing(item)));
  return made;
}

function missing(item) {
  const kind = { image: "picture", video: "video", audio: "audio" }[item.kind] ?? "other";
  return element(
    "div",
    { className: "missing" },
    icon(kind),
    element(
      "p",
      {},
      `The file of ${item.title} is not in the folders that the explorer looks into. The store keeps vectors, not files; say where they are: `,
      element("code", {}, "vecmod explore --media FOLDER"),
    ),
  );
}

function properties(item) {
  const rows = Object.entries(item.properties).flatMap(([name, value]) => [
    element("dt", {}, name),
    element(
      "dd",
      {},
      ...(Array.isArray(value) ? value.map(tag) : [typeof value === "object" ? JSON.stringify(value) : String(value)]),
    ),
  ]);
  return element(
    "dl",
    {},
    ...rows,
    element("dt", {}, "id"),
    element(
      "dd",
      { className: "id" },
      element("code", {}, item.id),
      copyButton("Copy the id", () => item.id),
    ),
  );
}

const tag = (value) => element("span", { className: "tag" }, String(value));

function present(parts) {
  const close = button({ image: "close", label: "Close (Escape)", className: "quiet close", onclick: shut });
  const focused = document.activeElement?.className;
  dialog.replaceChildren(...parts, close);
  if (!dialog.open) {
    fromGrid = Boolean(document.activeElement?.closest("#grid"));
    dialog.showModal();
  }
  // Who steps through the hits with the same button keeps it under the finger.
  const again = focused?.startsWith("step") ? dialog.querySelector(`.${focused.split(" ").join(".")}`) : null;
  (again ?? dialog.querySelector(".actions .button") ?? close).focus();
}

const step = (id) => go({ open: id }, { replace: true });

const shut = () => back({ open: "" });

function pressed(event) {
  const typing = event.target.closest("video, audio, input, select");
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  if (event.key === "m") ask({ like: current });
  const side = { ArrowLeft: ".step.left", ArrowRight: ".step.right" }[event.key];
  if (side) dialog.querySelector(side)?.click();
}

dialog.addEventListener("keydown", pressed);
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  shut();
});
dialog.addEventListener("click", ({ target, clientX, clientY }) => {
  const box = dialog.getBoundingClientRect();
  const outside = clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
  if (target === dialog && outside) shut();
});
