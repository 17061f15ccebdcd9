/** What a store without collections shows: how to make the first. */

import { commandLine, copyButton, element, notice } from "./dom.js";

/** @param {{store: string}} status */
export function firstSteps({ store }) {
  // What a URL shows is without its key, and a store in memory ends with its process.
  const option = store.includes("://") ? "" : ` --store ${store}`;
  return notice({
    kind: "hint",
    title: "This store has no collection yet",
    words: "A collection is declared by a class file and filled from a folder. In a terminal:",
    more: [
      element(
        "ol",
        { className: "steps" },
        step(
          "Start a service, which turns pictures and words into vectors. It stays up.",
          commandLine("vecmod serve multi2vec-clip"),
        ),
        step(
          "Save this as photo.class.json.",
          element(
            "div",
            { className: "code" },
            element("pre", { tabIndex: 0 }, element("code", {}, CLASS)),
            copyButton("Copy the class file", () => CLASS),
          ),
        ),
        step(
          "End this explorer with Ctrl-C, as a store in a file belongs to one program at a time; fill the store, and show it again.",
          commandLine(`vecmod insert ~/Pictures --class-file photo.class.json${option}`),
          commandLine(`vecmod explore --media ~/Pictures${option}`),
        ),
      ),
    ],
  });
}

const step = (words, ...shown) => element("li", {}, words, ...shown);

const CLASS = `{
  "class": "Photo",
  "vectorizer": "multi2vec-clip",
  "moduleConfig": {"multi2vec-clip": {"imageFields": ["image"]}},
  "properties": [
    {"name": "image", "dataType": ["blob"]},
    {"name": "path", "dataType": ["text"]}
  ]
}`;
