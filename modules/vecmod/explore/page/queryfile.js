/** Files to search by. The address holds only a key: a file lives as long as the page. */

import { Refused } from "./api.js";

const kept = new Map();
let last = 0;

// Pictures of other kinds than light are told from pictures by nobody but who has them.
const PICTURES = ["image", "thermal", "depth"];
const NAMES = {
  image: "picture",
  audio: "sound",
  video: "film",
  imu: "motion table",
  thermal: "thermal picture",
  depth: "depth picture",
};
const ACCEPTED = { image: "image/*", audio: "audio/*", video: "video/*", imu: ".csv,text/csv" };

export const nameOf = (modality) => NAMES[modality] ?? modality;

/** What a file input takes, and the collection's media in words: "a picture or a film". */
export function taken(searches) {
  const media = searches.filter((one) => one in NAMES);
  const accept = [...new Set(media.map((one) => ACCEPTED[one] ?? ACCEPTED.image))].join(",");
  const words = media.map((one) => `${"aeiou".includes(nameOf(one)[0]) ? "an" : "a"} ${nameOf(one)}`);
  return { media, accept, words: new Intl.ListFormat("en", { type: "disjunction" }).format(words) };
}

/** What a file can be to a collection: modalities, the likeliest first; empty if nothing. */
export function modalitiesOf(file, searches) {
  const kind = file.type.split("/")[0];
  const might = kind === "image" ? PICTURES : kind === "text" || /\.csv$/i.test(file.name) ? ["imu"] : [kind];
  const unknown = file.type === "" && !might.some((one) => searches.includes(one));
  return (unknown ? PICTURES : might).filter((one) => searches.includes(one));
}

/** Keep a file; its key. */
export function keep(file, modality) {
  const key = `${Date.now().toString(36)}-${(last += 1)}`;
  kept.set(key, { file, modality, picture: PICTURES.includes(modality) ? URL.createObjectURL(file) : "" });
  return `${modality}:${key}`;
}

/** @returns {{file: File, modality: string, picture: string} | undefined} of a key of this page's life */
export function recall(key) {
  const [modality, rest] = key.split(":");
  const found = kept.get(rest);
  return found && { ...found, modality };
}

/** The same file, searched by as another modality. */
export const keyAs = (key, modality) => `${modality}:${key.split(":")[1]}`;

/** A file's bytes as base64. */
export function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () =>
      reject(new Refused(`${file.name} cannot be read: it was moved or changed. Choose it again.`, "unreadable"));
    reader.readAsDataURL(file);
  });
}
