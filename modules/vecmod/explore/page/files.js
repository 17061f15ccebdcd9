/** Files and folders as browsers hand them over, to a flat list of paths and files. */

import { canDrop } from "./dom.js";

const KINDS = { image: "pictures", video: "films", audio: "sounds" };

/** What files of some modalities are called. */
export const kindsOf = (inserts) =>
  new Intl.ListFormat("en").format(inserts.map((one) => KINDS[one] ?? `${one} files`));

export function howToFill(inserts) {
  const kinds = kindsOf(inserts);
  return canDrop()
    ? `Drop ${kinds} or whole folders anywhere on this page, or choose them.`
    : `Choose ${kinds} or a whole folder.`;
}

/** @typedef {{path: string, file: File}} Found */

const hidden = (path) => path.split("/").some((part) => part.startsWith("."));

/** Files of an `<input>`, with their place in the chosen folder. @returns {Found[]} */
export function ofInput(files) {
  return [...files]
    .map((file) => ({ path: file.webkitRelativePath || file.name, file }))
    .filter(({ path }) => !hidden(path));
}

/**
 * What a drop holds. Must be called while the drop is being handled: afterwards browsers forget it.
 * @returns {{folders: boolean, all: () => Promise<Found[]>}}
 */
export function ofDrop({ items, files }) {
  const entries = [...items].filter((one) => one.kind === "file").map((one) => one.webkitGetAsEntry?.());
  const known = entries.length > 0 && entries.every(Boolean);
  const plain = ofInput(files);
  return {
    folders: known && entries.some((entry) => entry.isDirectory),
    all: async () => (known ? (await Promise.all(entries.map(walk))).flat() : plain),
  };
}

/** @returns {Promise<Found[]>} */
async function walk(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (hidden(path)) return [];
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const found = [];
  for (const one of await entriesOf(entry)) found.push(...(await walk(one)));
  return found;
}

/** All entries of a folder; browsers hand out at most 100 at a time. */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}
