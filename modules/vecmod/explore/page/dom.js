/** Elements, numbers and words: what every part of the page needs. */

export const by = (id) => document.getElementById(id);

/** A new element; `properties` are its DOM properties, `aria` and `data` its attributes of these families. */
export function element(tag, { aria = {}, data = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  Object.assign(made.dataset, data);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.classList.add("icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button with an icon, words or both; without words `label` is what a screen reader says. */
export function button({ image, words, label, onclick, className = "button" }) {
  const made = element("button", { type: "button", className, onclick }, image ? icon(image) : null);
  if (words) made.append(element("span", {}, words));
  if (label) Object.assign(made, { ariaLabel: label, title: label });
  return made;
}

/** Whether files can be dropped here: whoever points with a finger chooses them. */
export const canDrop = () => matchMedia("(hover: hover)").matches;

const NUMBERS = new Intl.NumberFormat("en");
export const count = (number) => NUMBERS.format(number);
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const distanceText = (distance) => distance.toFixed(distance < 0.1 ? 3 : 2);
export const rateText = (rate) => (rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1));

/** Seconds as people say them. */
export function durationText(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** Say something to those who listen instead of looking. */
export function say(words) {
  by("said").textContent = words;
}

/** A message where its cause is: what happened, what to do, a command to copy, and what can be clicked. */
export function notice({ kind = "fault", title, words = "", command = "", more = [], actions = [] }) {
  return element(
    "div",
    { className: `notice ${kind}`, role: kind === "fault" ? "alert" : "note" },
    icon(kind === "fault" ? "warning" : "import"),
    element(
      "div",
      {},
      element("h2", {}, title),
      words ? element("p", {}, words) : null,
      ...more,
      command ? commandLine(command) : null,
      actions.length ? element("p", { className: "actions" }, ...actions) : null,
    ),
  );
}

export function commandLine(command) {
  return element(
    "p",
    { className: "command" },
    element("code", {}, command),
    copyButton("Copy the command", () => command),
  );
}

/** A button that copies `text()` and says that it did. */
export function copyButton(label, text, words = "") {
  const made = button({ image: "copy", label: words ? "" : label, words, className: words ? "button" : "quiet" });
  made.addEventListener("click", async () => {
    const done = await copied(text());
    say(done ? "Copied" : "The browser did not allow copying");
    made.classList.toggle("done", done);
    setTimeout(() => made.classList.remove("done"), 1200);
  });
  return made;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Addresses other than localhost have no clipboard over plain HTTP: the old way.
    const area = element("textarea", { className: "unseen", value: text });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
