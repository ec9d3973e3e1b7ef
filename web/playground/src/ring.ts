/** The life of an access token, as a ring that empties and refills. */

import { h, isStill, s, say } from "./dom.js";
import { now } from "./wire.js";
import type { Words } from "./words.js";

/** How long the ring takes to refill. */
const REFILL_MS = 420;

/** The part of its life that is left when the client renews, and the longest time that this may be (`EARLY_MS_MAX`). */
const EARLY_PART = 0.2;
const EARLY_MS_MAX = 60_000;

const RADIUS = 52;

/** A ring. */
export interface Ring {
  readonly element: HTMLElement;
  /** Shows another life; without one, it is empty. */
  show(life: readonly [from: number, until: number] | undefined): void;
  speak(words: Words): void;
  /** Writes the seconds anew. */
  tick(): void;
}

/** Makes one. */
export function ring(words: Words): Ring {
  const circle = { cx: 60, cy: 60, r: RADIUS, fill: "none" };
  const arc = s("circle", { ...circle, class: "arc", pathLength: 100, "stroke-dasharray": 100 });
  const due = s("line", { class: "due", x1: 60, y1: 2.5, x2: 60, y2: 13.5 });
  const seconds = h("b");
  const unit = h("span");
  const picture = s(
    "svg",
    { viewBox: "0 0 120 120", "aria-hidden": "true" },
    s("circle", { ...circle, class: "track" }),
    s("g", { transform: "rotate(-90 60 60)" }, arc),
    due,
  );
  const text = h("div", { class: "seconds", "aria-hidden": "true" }, seconds, unit);
  const spoken = h("span", { class: "unseen" });
  const element = h("div", { class: "ring" }, picture, text, spoken);
  let life: readonly [number, number] | undefined;
  let moving: Animation | undefined;
  arc.style.strokeDashoffset = "100";

  const left = () => (life ? Math.max(life[1] - now(), 0) : 0);
  const whole = () => (life ? life[1] - life[0] : 1);
  const offset = (ms: number) => 100 - Math.min(ms / whole(), 1) * 100;

  const move = () => {
    const ms = left();
    const from = getComputedStyle(arc).strokeDashoffset;
    moving?.cancel();
    if (!life || isStill()) {
      arc.style.strokeDashoffset = String(offset(ms));
      return;
    }
    const refill = Math.min(REFILL_MS / Math.max(ms, 1), 1);
    moving = arc.animate(
      [
        { strokeDashoffset: from, easing: "cubic-bezier(.2,.8,.2,1)" },
        { strokeDashoffset: offset(Math.max(ms - REFILL_MS, 0)), offset: refill },
        { strokeDashoffset: 100 },
      ],
      { duration: Math.max(ms, 1), fill: "forwards" },
    );
  };

  const tick = () => {
    const ms = left();
    say(seconds, life ? String(Math.ceil(ms / 1000)) : "–");
    say(unit, life ? words.left : words.none);
    if (life && isStill()) arc.style.strokeDashoffset = String(offset(ms));
  };

  const tell = () =>
    say(
      spoken,
      life ? words.ring(Math.ceil(left() / 1000), Math.round(whole() / 1000)) : words.none,
    );

  return {
    element,
    show(to) {
      life = to;
      element.classList.toggle("empty", !to);
      const early = to ? Math.min((to[1] - to[0]) * EARLY_PART, EARLY_MS_MAX) / (to[1] - to[0]) : 0;
      due.setAttribute("transform", `rotate(${early * 360} 60 60)`);
      move();
      tick();
      tell();
    },
    speak(to) {
      words = to;
      tick();
      tell();
    },
    tick,
  };
}
