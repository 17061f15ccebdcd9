/** One import: files sent a few at a time, and what became of them. */

import * as api from "./api.js";

const LANES = 3;
const TRIES = 5;
const LOOK_EVERY = 400;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * @typedef {object} Progress what the panel shows
 * @property {string} collection
 * @property {number} total files that are to be sent
 * @property {number} sent
 * @property {number} left_alone files of other kinds, here and at the server
 * @property {number} stored @property {number} unchanged
 * @property {number} failures
 * @property {{path: string, error: string}[]} failed the first of them
 * @property {number|null} rate items per second
 * @property {"sending"|"working"|"done"|"stopped"|"broken"} state
 * @property {string} fault why it broke
 */

const readable = (file) =>
  file
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    );

/** Files that a collection takes, and how many it does not. */
export function sorted(found, collection) {
  const suffixes = collection.suffixes;
  const fits = ({ path }) => !suffixes || suffixes.some((suffix) => path.toLowerCase().endsWith(suffix));
  const taken = found.filter(fits).sort((a, b) => a.path.localeCompare(b.path));
  return { taken, others: found.length - taken.length };
}

export class Upload {
  #abort = new AbortController();
  #id = "";
  #refused = [];
  #others = 0;
  #told = { stored: 0, unchanged: 0, failures: 0, failed: [], left_alone: 0, items_per_second: null };
  #onChange;

  /** @param {string} collection @param {(progress: Progress) => void} onChange */
  constructor(collection, onChange) {
    this.#onChange = onChange;
    this.progress = { collection, total: 0, sent: 0, state: "sending", fault: "" };
  }

  get runs() {
    return ["sending", "working"].includes(this.progress.state);
  }

  /** Send files; `others` were left alone already. */
  async run(files, others) {
    this.#others = others;
    this.#tell({ total: files.length });
    try {
      this.#id = (await api.beginImport(this.progress.collection)).import;
      const queue = files.values();
      const lanes = Array.from({ length: LANES }, () => this.#lane(queue));
      await Promise.all([this.#watch(), Promise.all(lanes).then(() => this.#end())]);
    } catch (error) {
      if (this.runs) this.#tell({ state: "broken", fault: error.message });
      this.#abort.abort();
    }
  }

  /** What was stored stays. */
  async stop() {
    this.#tell({ state: "stopped" });
    this.#abort.abort();
    if (this.#id) await api.stopImport(this.#id).catch(() => {});
  }

  async #end() {
    if (!this.runs) return;
    await api.endImport(this.#id);
    if (this.runs) this.#tell({ state: "working" });
  }

  async #lane(queue) {
    for (const { path, file } of queue) {
      if (!this.runs) return;
      await this.#send(path, file);
      this.#tell({ sent: this.progress.sent + 1 });
    }
  }

  async #send(path, file) {
    for (let tried = 1; this.runs; tried += 1) {
      const wait = await this.#attempt(path, file, tried);
      if (!wait) return;
      await pause(wait);
    }
  }

  /** Milliseconds to wait before the next try; 0 if the file is through, or refused. */
  async #attempt(path, file, tried) {
    try {
      await api.sendFile(this.#id, path, file, this.#abort.signal);
      return 0;
    } catch (error) {
      if (!this.runs) return 0;
      if ([429, 503].includes(error.status)) return 1000 * (error.wait || 1);
      if ([404, 409].includes(error.status)) throw error;
      if (error.code !== "unreachable") return this.#refuse(path, error.message);
      // The request did not go out: the file cannot be read, or nobody is there.
      if (!(await readable(file)))
        return this.#refuse(path, "the browser cannot read it: it was moved or changed, or is not yours to read");
      if (tried >= TRIES) throw error;
      return 300 * tried;
    }
  }

  #refuse(path, error) {
    this.#refused.push({ path, error });
    this.#tell({});
    return 0;
  }

  async #watch() {
    for (let missed = 0; this.runs;) {
      await pause(LOOK_EVERY);
      try {
        this.#heard(await api.importState(this.#id));
        missed = 0;
      } catch (error) {
        missed += 1;
        if (missed > TRIES || error.code !== "unreachable") throw error;
      }
    }
  }

  #heard(told) {
    if (!this.runs) return;
    this.#told = told;
    if (told.stopped) throw new api.Refused(told.stopped, "import_stopped");
    this.#tell(told.done ? { state: "done" } : {});
  }

  #tell(changes) {
    const { stored, unchanged, failures, failed, left_alone, items_per_second } = this.#told;
    this.progress = {
      ...this.progress,
      stored,
      unchanged,
      failures: failures + this.#refused.length,
      failed: [...failed, ...this.#refused],
      left_alone: left_alone + this.#others,
      rate: items_per_second,
      ...changes,
    };
    this.#onChange(this.progress);
  }
}
