/** Files dragged over the page: one half searches by them, the other takes them in. */

import { askByFile } from "./asking.js";
import { by } from "./dom.js";
import * as files from "./files.js";
import * as imports from "./import.js";

const cover = by("drop");
const ZONES = ["drop-search", "drop-import"];
let collection = null;

export function fit(chosen) {
  collection = chosen;
  by("drop-name").textContent = chosen ? `into ${chosen.name}` : "";
}

const isFiles = ({ dataTransfer }) => [...(dataTransfer?.types ?? [])].includes("Files");
const canSearch = () => collection?.searches.some((one) => !["text", "object"].includes(one));
const canImport = () => Boolean(collection?.inserts.length);

/** Where a drop goes: the half that is under the pointer, unless the collection can do only the other. */
function zoneAt(event) {
  if (!canImport()) return "drop-search";
  if (!canSearch()) return "drop-import";
  return event.target.closest?.("#drop-import") ? "drop-import" : "drop-search";
}

function over(event) {
  if (!isFiles(event) || !collection || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  cover.hidden = false;
  by("drop-search").hidden = !canSearch();
  by("drop-import").hidden = !canImport();
  const at = zoneAt(event);
  for (const id of ZONES) by(id).classList.toggle("on", id === at);
}

/** Reading through a large folder takes a moment: the panel is there meanwhile. */
async function takeIn(drop) {
  imports.open();
  try {
    await imports.start(await drop.all());
  } catch (error) {
    imports.sayHere(`The browser cannot read what was dropped (${error.message}): choose it below instead.`);
  }
}

async function dropped(event) {
  if (!isFiles(event)) return;
  event.preventDefault();
  cover.hidden = true;
  if (!collection || document.querySelector("dialog[open]")) return;
  const drop = files.ofDrop(event.dataTransfer);
  const [first, ...others] = event.dataTransfer.files;
  // Nobody searches by a folder.
  if ((zoneAt(event) === "drop-import" || drop.folders) && canImport()) await takeIn(drop);
  else if (first) askByFile(first, others.length);
}

addEventListener("dragenter", over);
addEventListener("dragover", over);
addEventListener("drop", dropped);
// Leaving the window is leaving to nothing.
addEventListener("dragleave", ({ relatedTarget }) => !relatedTarget && (cover.hidden = true));
addEventListener("dragend", () => (cover.hidden = true));
