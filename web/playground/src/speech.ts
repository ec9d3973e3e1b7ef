/** The language of the page, which can be changed while it runs. */

import { say } from "./dom.js";
import { type Language, prefer, preferred, type Words, words as all } from "./words.js";

/** What is said, and by whom. */
export interface Speech {
  readonly language: Language;
  readonly words: Words;
  /** Gives an element a text that follows the language. */
  text<E extends Element>(element: E, of: (words: Words) => string): E;
  /** Calls `hear` now and whenever the language changes. */
  told(hear: (words: Words) => void): void;
  /** Changes to the other language. */
  turn(): void;
}

/** Begins in the language that was chosen, or the browser's. */
export function speech(): Speech {
  let language = preferred();
  const hearers: ((words: Words) => void)[] = [];
  const told = (hear: (words: Words) => void) => {
    hearers.push(hear);
    hear(all[language]);
  };
  return {
    get language() {
      return language;
    },
    get words() {
      return all[language];
    },
    text(element, of) {
      told((words) => say(element, of(words)));
      return element;
    },
    told,
    turn() {
      language = language === "en" ? "zh" : "en";
      prefer(language);
      for (const hear of hearers) hear(all[language]);
    },
  };
}
