/** The import panel: choose or drop files, watch them go in, read what failed. */

import { button, by, copyButton, count, durationText, element, plural, rateText, say } from "./dom.js";
import * as files from "./files.js";
import { sorted, Upload } from "./upload.js";

const panel = by("import");
const opener = by("import-open");
const SHOWN = 200;
const SETTLE = 6000;
const NUMBERS = ["stored", "unchanged", "failed", "left alone"];
let collection = null;
let upload = null;
let endedAt = 0;
let finished = () => {};
// What the panel is made of while an import runs; numbers change in place, so that nothing jumps.
let parts = null;

export const onFinished = (listener) => (finished = listener);
export const running = () => Boolean(upload?.runs);
/** Whether what is stored changes, or did a moment ago. */
export const isBusy = () => running() || Date.now() - endedAt < SETTLE;

/** The collection that files go into from now on. */
export function fit(chosen) {
  collection = chosen;
  opener.disabled = !chosen?.inserts.length;
  opener.title = chosen && !chosen.inserts.length ? `${chosen.name} takes no files by itself` : "";
  if (!panel.hidden && !upload) open();
}

export function open() {
  if (!collection) return;
  panel.hidden = false;
  opener.setAttribute("aria-expanded", "true");
  if (!upload) panel.replaceChildren(head(`Import into ${collection.name}`), chooser());
}

function close() {
  panel.hidden = true;
  opener.setAttribute("aria-expanded", "false");
  if (!running()) upload = null;
  opener.focus();
}

function head(title) {
  return element(
    "header",
    {},
    element("h2", {}, title),
    button({ image: "close", label: "Close the import panel", className: "quiet", onclick: close }),
  );
}

function chooser() {
  const folder = input({ webkitdirectory: true });
  const some = input({ multiple: true, accept: collection.suffixes?.join(",") ?? "" });
  return element(
    "div",
    { className: "chooser" },
    element("p", {}, files.howToFill(collection.inserts)),
    element(
      "p",
      { className: "actions" },
      button({ words: "Choose a folder", className: "button strong", onclick: () => folder.click() }),
      button({ words: "Choose files", onclick: () => some.click() }),
    ),
    element(
      "p",
      { className: "small" },
      "What is stored and unchanged is skipped, so the same folder can be imported again. Hidden files and other kinds are left alone.",
    ),
    folder,
    some,
  );
}

/** A word above the buttons to choose with. */
export function sayHere(words) {
  panel.querySelector(".chooser")?.prepend(element("p", { className: "fault", role: "alert" }, words));
}

function input(properties) {
  const made = element("input", { type: "file", hidden: true, ...properties });
  made.addEventListener("change", () => start(files.ofInput(made.files)));
  return made;
}

/** Import files into the chosen collection. */
export async function start(found) {
  if (!collection) return;
  if (running()) {
    open();
    parts.note.textContent = "One import at a time: let this one end, or stop it.";
    return;
  }
  const { taken, others } = sorted(found, collection);
  if (!taken.length) {
    upload = null;
    open();
    sayHere(
      found.length
        ? `${plural(found.length, "file")}, none of them ${files.kindsOf(collection.inserts)}.`
        : "Nothing in there but hidden files, or nothing at all.",
    );
    return;
  }
  upload = new Upload(collection.name, draw);
  build(collection.name);
  open();
  await upload.run(taken, others);
}

function build(name) {
  parts = {
    title: head(`Importing into ${name}`),
    bar: element("progress", { ariaLabel: "Imported", max: 1, value: 0 }),
    line: element("p", { className: "line" }),
    numbers: Object.fromEntries(NUMBERS.map((name) => [name, element("dd", {}, "0")])),
    note: element("p", { className: "small", role: "status" }),
    failures: element("div", { className: "failures", hidden: true }),
    copy: copyButton("Copy the list", () => parts.lines, "Copy the list"),
    stop: button({ words: "Stop", onclick: () => upload.stop() }),
    again: button({
      words: "Import more",
      onclick: () => {
        upload = null;
        open();
      },
    }),
  };
  parts.again.hidden = parts.copy.hidden = true;
  parts.listed = 0;
  panel.replaceChildren(
    parts.title,
    parts.bar,
    parts.line,
    numbers(),
    parts.failures,
    parts.note,
    element("p", { className: "actions" }, parts.stop, parts.again, parts.copy),
  );
}

const numbers = () =>
  element(
    "dl",
    { className: "counts" },
    ...NUMBERS.map((name) => element("div", {}, element("dt", {}, name), parts.numbers[name])),
  );

function draw(progress) {
  const { total, stored, unchanged, failures, failed, left_alone, state } = progress;
  const through = Math.min(total, stored + unchanged + failures);
  parts.bar.max = Math.max(1, total);
  parts.bar.value = state === "done" ? total : through;
  parts.line.textContent = lineOf(progress, through);
  const told = { stored, unchanged, failed: failures, "left alone": left_alone };
  for (const [name, number] of Object.entries(told)) parts.numbers[name].textContent = count(number);
  parts.numbers.failed.parentElement.classList.toggle("bad", failures > 0);
  if (failed.length !== parts.listed) list(failed, failures);
  if (!upload.runs) ended(progress);
  else sayTenths(through, total);
}

function lineOf({ total, sent, rate, state, stored }, through) {
  if (state === "done") return `Done: ${plural(stored, "item")} stored.`;
  if (state === "stopped") return "Stopped. What was stored stays.";
  if (state === "broken") return "Broken off. What was stored stays.";
  const left = rate ? `, about ${durationText((total - through) / rate)} left` : "";
  return `${count(through)} of ${count(total)}${rate ? ` at ${rateText(rate)}/s` : sent < total ? `, ${count(sent)} sent` : ""}${left}`;
}

let tenth = -1;

/** A listener hears of every tenth, not of every file. */
function sayTenths(through, total) {
  const now = Math.floor((10 * through) / total);
  if (now === tenth) return;
  tenth = now;
  if (now > 0) say(`${count(through)} of ${count(total)} imported`);
}

function ended({ state, fault, stored, failures }) {
  if (!parts.again.hidden) return;
  parts.stop.hidden = true;
  parts.again.hidden = false;
  parts.title.querySelector("h2").textContent = panel.querySelector("h2").textContent.replace("Importing", "Import");
  parts.note.textContent = fault;
  parts.note.classList.toggle("fault", Boolean(fault));
  say(`Import ${state}: ${count(stored)} stored, ${count(failures)} failed`);
  tenth = -1;
  endedAt = Date.now();
  finished();
}

function list(failed, failures) {
  const wasOpen = parts.failures.querySelector("details")?.open ?? true;
  parts.listed = failed.length;
  parts.lines = failed.map(({ path, error }) => `${path}\t${error}`).join("\n");
  parts.failures.hidden = parts.copy.hidden = !failed.length;
  const rows = failed
    .slice(0, SHOWN)
    .map(({ path, error }) => element("li", {}, element("b", {}, path), element("span", {}, error)));
  parts.failures.replaceChildren(
    element(
      "details",
      { open: wasOpen },
      element("summary", {}, `${plural(failures, "file")} failed; the others were not held up`),
      element("ul", { tabIndex: 0, ariaLabel: "Files that failed" }, ...rows),
      failures > SHOWN
        ? element(
            "p",
            { className: "small" },
            `The first ${count(SHOWN)}; the list to copy has the first ${count(failed.length)}.`,
          )
        : null,
    ),
  );
}

opener.addEventListener("click", () => (panel.hidden ? open() : close()));
panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
addEventListener("beforeunload", (event) => running() && event.preventDefault());
