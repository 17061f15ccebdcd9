/** What a store without collections shows: how to make the first. */

import { copyButton, element, notice } from "./dom.js";

const inWords = "multi2vec-clip";

/** @param {{store: string, services: object[]}} status */
export function firstSteps({ store, services }) {
  const service = services.find(({ module }) => module === inWords) ?? services[0];
  const module = service?.module ?? inWords;
  const definition = classOf(module);
  const options = [service && `--service ${service.url}`, !store.includes("://") && `--store ${store}`].filter(Boolean);
  return notice({
    kind: "hint",
    title: "This store has no collection yet",
    words: "A collection is declared by a class file and filled from a folder. First, save this as photo.class.json:",
    more: [
      element("div", { className: "code" }, element("pre", {}, element("code", {}, definition)), copyButton("Copy the class file", () => definition)),
      element("p", {}, "Then run this beside it. The collection appears here by itself."),
    ],
    command: ["vecmod insert ~/Pictures --class-file photo.class.json", ...options].join(" "),
  });
}

const classOf = (module) => `{
  "class": "Photo",
  "vectorizer": "${module}",
  "moduleConfig": {"${module}": {"imageFields": ["image"]}},
  "properties": [
    {"name": "image", "dataType": ["blob"]},
    {"name": "path", "dataType": ["text"]}
  ]
}`;
