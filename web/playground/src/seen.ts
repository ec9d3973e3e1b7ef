/** What came of the last act: its figures, and what they mean. */

import { h, say } from "./dom.js";
import { millis } from "./figures.js";
import type { Outcome } from "./outcome.js";
import type { Words } from "./words.js";

/** The panel; who cannot see it is told what it says. */
export interface Seen {
  readonly element: HTMLElement;
  show(outcome: Outcome): void;
  speak(words: Words): void;
}

/** Makes one. */
export function seen(words: Words): Seen {
  const act = h("p", { class: "act" });
  const figures = h("ul", { class: "figures" });
  const text = h("p", { class: "text" });
  const told = h(
    "div",
    { class: "told", role: "status", "aria-atomic": "true" },
    act,
    figures,
    text,
  );
  let outcome: Outcome | undefined;

  const speak = (to: Words) => {
    words = to;
    say(act, outcome ? words.acts[outcome.act].name : words.seen);
    say(text, outcome ? words.outcome(outcome) : words.nothingYet);
    told.dataset["is"] = outcome?.is ?? "none";
    // Whoever listens hears what came of it, and not every second until then.
    told.ariaBusy = String(outcome?.is === "running" || outcome?.is === "waiting");
    const shown = outcome?.is === "done" ? figuresOf(outcome, words) : [];
    figures.hidden = !shown.length;
    figures.replaceChildren(
      ...shown.map(([value, label]) => h("li", {}, h("b", {}, value), h("span", {}, ` ${label}`))),
    );
  };
  speak(words);
  return { element: told, show: (to) => ((outcome = to), speak(words)), speak };
}

type Figure = readonly [value: string, label: string];

function figuresOf(outcome: Outcome & { readonly is: "done" }, words: Words): readonly Figure[] {
  const { figures } = words;
  const label = (name: string) => figures[name] ?? name;
  switch (outcome.act) {
    case "race":
      return [
        [`${outcome.answered}/${outcome.asked}`, label("answered")],
        [String(outcome.successors), label("successors")],
        [outcome.signedIn ? "0" : "1", label("out")],
        [millis(outcome.ms), label("took")],
      ];
    case "replay":
      return [
        [outcome.reason, label("reason")],
        [millis(outcome.refusedMs), label("refused")],
      ];
    case "kick":
      return [
        [millis(outcome.refusedMs), label("refused")],
        [`${outcome.applied}/${outcome.live}`, label("applied")],
      ];
    case "role":
      return [
        [millis(outcome.refusedMs), label("refused")],
        [millis(outcome.renewedMs), label("renewed")],
      ];
    case "displace":
      return [[millis(outcome.refusedMs), label("refused")]];
  }
}
