/** From revoked to refused: the figures of this page's own acts. */

import { h, say } from "./dom.js";
import { median, millis } from "./figures.js";
import type { Act } from "./outcome.js";
import type { Words } from "./words.js";

/** How many are shown. Inclusive. */
const SHOWN_MAX = 6;

/** The measured ones. */
export interface Latency {
  readonly element: HTMLElement;
  add(act: Act, ms: number): void;
  speak(words: Words): void;
}

/** Makes one. */
export function latency(words: Words): Latency {
  const all: { readonly act: Act; readonly ms: number }[] = [];
  const last = h("p", { class: "big" });
  const summary = h("p", { class: "soft" });
  const bars = h("ul", { class: "bars" });
  const element = h("div", { class: "latency" }, last, summary, bars);

  const speak = (to: Words) => {
    words = to;
    const shown = all.slice(-SHOWN_MAX).reverse();
    const most = Math.max(...shown.map(({ ms }) => ms), 1);
    const [newest] = shown;
    last.hidden = !newest;
    say(last, newest ? millis(newest.ms) : "");
    say(
      summary,
      newest
        ? words.latencyOf(all.length, millis(median(all.map(({ ms }) => ms))))
        : words.latencyNone,
    );
    bars.replaceChildren(
      ...shown.map(({ act, ms }) => {
        const bar = h("i", { "aria-hidden": "true" });
        bar.style.width = `${(ms / most) * 100}%`;
        const [name, figure] = [h("span"), h("b")];
        say(name, words.acts[act].name);
        say(figure, millis(ms));
        return h("li", {}, name, figure, bar);
      }),
    );
  };
  speak(words);

  return {
    element,
    add(act, ms) {
      all.push({ act, ms });
      speak(words);
    },
    speak,
  };
}
