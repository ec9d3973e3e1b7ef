/** What happened, in words; the requests that simply went well are on the timeline alone. */

import { h, say } from "./dom.js";
import { millis, since } from "./figures.js";
import { type Entry, now } from "./wire.js";
import type { Words } from "./words.js";

/** The most lines that are kept. Inclusive. */
const LINES_MAX = 60;

/** The log. */
export interface Log {
  readonly element: HTMLElement;
  add(entry: Entry): void;
  speak(words: Words): void;
}

/** Makes one. */
export function log(words: Words): Log {
  const began = now();
  const head = words.columns.map(() => h("th", { scope: "col" }));
  const body = h("tbody");
  const element = h("table", { class: "log" }, h("thead", {}, h("tr", {}, ...head)), body);
  let entries: Entry[] = [];

  const line = (entry: Entry) =>
    h(
      "tr",
      { "data-mark": entry.mark },
      h("td", {}, since(entry.at - began)),
      h("td", {}, words.lanes[entry.who]),
      h("td", {}, words.entry(entry)),
      h("td", {}, entry.ms === undefined ? "" : millis(entry.ms)),
    );

  const speak = (to: Words) => {
    words = to;
    head.forEach((cell, at) => say(cell, words.columns[at]!));
    body.replaceChildren(...entries.map(line));
  };
  speak(words);

  return {
    element,
    add(entry) {
      if (entry.mark === "life" || entry.mark === "request") return;
      entries = [entry, ...entries].slice(0, LINES_MAX);
      body.prepend(line(entry));
      while (body.rows.length > LINES_MAX) body.rows[LINES_MAX]!.remove();
    },
    speak,
  };
}
