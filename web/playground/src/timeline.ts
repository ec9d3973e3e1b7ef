/** What happened in the last minute, tab by tab. */

import { h, isStill, s, say } from "./dom.js";
import { type Entry, now, type Who } from "./wire.js";
import type { Words } from "./words.js";

/** What is shown: so long ago, and so far ahead, since a token's end is known. */
const PAST_MS = 60_000;
const AHEAD_MS = 15_000;

/** How often it moves. */
const MOVE_MS = 80;
const MOVE_STILL_MS = 1000;

const LANES: readonly Who[] = ["A", "B", "outside"];
const [LABELS, TOP, LANE, AXIS] = [72, 6, 40, 24] as const;
const HEIGHT = TOP + LANES.length * LANE + AXIS;
const TROUBLE: readonly string[] = ["refused", "lost", "unsent", "ended"];

/** The timeline. */
export interface Timeline {
  readonly element: HTMLElement;
  add(entry: Entry): void;
  speak(words: Words): void;
}

/** A thing that is drawn, and until when it may be seen. */
interface Drawn {
  readonly entry: Entry;
  readonly element: SVGElement;
  /** For the life of a token: when another took its place. */
  until?: number;
}

/** Makes one. */
export function timeline(words: Words): Timeline {
  let drawn: Drawn[] = [];
  let perMs = 0.01;
  let acts = 0;
  let width = 0;
  const began = now();

  const lives = s("g");
  const marks = s("g");
  const frame = s("g");
  const ahead = s("rect", { class: "ahead", y: 0, height: TOP + LANES.length * LANE });
  const line = s("line", { class: "now", y1: 0, y2: TOP + LANES.length * LANE });
  const within = s("svg", { x: LABELS, y: 0, height: HEIGHT, overflow: "hidden" });
  within.append(lives, ahead, line, marks);
  const picture = s("svg", { class: "lanes", role: "img", height: HEIGHT }, frame, within);
  const element = h("div", { class: "timeline" });
  element.append(picture);

  const x = (at: number) => (at - began) * perMs;
  const y = (who: Who) => TOP + LANES.indexOf(who) * LANE;
  const nowX = () => LABELS + (width - LABELS) * (PAST_MS / (PAST_MS + AHEAD_MS));

  const draw = (entry: Entry, until?: number): SVGElement => {
    const { at, who, mark, about = "" } = entry;
    const [left, top] = [x(at), y(who)];
    switch (mark) {
      case "life": {
        const to = Math.min(until ?? Infinity, entry.until ?? at);
        const box = { x: left, y: top + 10, height: LANE - 20, rx: 3 };
        return s("rect", { class: "life", ...box, width: Math.max(x(to) - left - 1.5, 1) });
      }
      case "request":
        return s("circle", { class: mark, cx: left, cy: top + LANE / 2, r: 2 });
      case "renewal":
      case "signed-in":
        return s("line", { class: mark, x1: left, x2: left, y1: top + 4, y2: top + LANE - 4 });
      case "taken":
        return s("circle", { class: mark, cx: left, cy: top + LANE / 2, r: 4 });
      case "act":
        return s(
          "g",
          { class: mark, transform: `translate(${left} ${top})` },
          s("line", { y1: 5, y2: LANE - 5 }),
          // Those that follow each other closely stand above each other.
          s("text", { x: 6, y: acts++ % 2 ? 32 : 16 }, words.acts[about as "race"]?.name ?? about),
        );
      default: {
        const [middle, arm] = [top + LANE / 2, 4] as const;
        const d = `M${left - arm} ${middle - arm}l8 8m0-8l-8 8`;
        return s("path", { class: "trouble", d });
      }
    }
  };

  const put = (one: Entry, until?: number): Drawn => {
    const element = draw(one, until);
    (one.mark === "life" ? lives : marks).append(element);
    return { entry: one, element, ...(until !== undefined && { until }) };
  };

  const add = (entry: Entry) => {
    // The life of the token before ends where another begins, or with the session.
    if (entry.mark === "life" || entry.mark === "ended")
      drawn = drawn.map((one) => {
        if (one.entry.mark !== "life" || one.entry.who !== entry.who || one.until) return one;
        one.element.remove();
        return put(one.entry, entry.at);
      });
    drawn.push(put(entry));
  };

  const forget = () => {
    const since = now() - PAST_MS * 1.2;
    drawn = drawn.filter((one) => {
      const isSeen = (one.until ?? one.entry.until ?? one.entry.at) > since;
      if (!isSeen) one.element.remove();
      return isSeen;
    });
  };

  const build = () => {
    width = Math.max(element.clientWidth, 240);
    perMs = (width - LABELS) / (PAST_MS + AHEAD_MS);
    picture.setAttribute("width", String(width));
    within.setAttribute("width", String(width - LABELS));
    ahead.setAttribute("x", String(nowX() - LABELS));
    ahead.setAttribute("width", String(width - nowX()));
    line.setAttribute("x1", String(nowX() - LABELS));
    line.setAttribute("x2", String(nowX() - LABELS));
    frame.replaceChildren(
      ...LANES.flatMap((who) => [
        s("text", { class: "lane", x: 0, y: y(who) + LANE / 2 + 4 }, words.lanes[who]),
        s("line", { class: "rule", x1: 0, x2: width, y1: y(who) + LANE, y2: y(who) + LANE }),
      ]),
      ...(width < 560 ? [30, 0] : [60, 45, 30, 15, 0]).map((seconds) =>
        s(
          "text",
          {
            class: "axis",
            x: nowX() - seconds * 1000 * perMs,
            y: HEIGHT - 6,
            "text-anchor": seconds === 60 ? "start" : "middle",
          },
          words.ago(seconds),
        ),
      ),
    );
    acts = 0;
    lives.replaceChildren();
    marks.replaceChildren();
    drawn = drawn.map(({ entry, until }) => put(entry, until));
    move();
  };

  const move = () => {
    const by = `translate(${nowX() - LABELS - x(now())} 0)`;
    for (const moving of [lives, marks]) moving.setAttribute("transform", by);
  };

  const count = (mark: string | readonly string[]) =>
    drawn.filter(({ entry }) =>
      typeof mark === "string" ? entry.mark === mark : mark.includes(entry.mark),
    ).length;

  let moved = 0;
  const turn = (at: number) => {
    requestAnimationFrame(turn);
    if (at - moved < (isStill() ? MOVE_STILL_MS : MOVE_MS)) return;
    moved = at;
    move();
  };

  new ResizeObserver(build).observe(element);
  requestAnimationFrame(turn);
  setInterval(() => {
    forget();
    picture.ariaLabel = words.timelineSays(count("renewal"), count("request"), count(TROUBLE));
  }, 2000);

  const legend = h("ul", { class: "legend" });
  element.append(legend);
  const speak = (to: Words) => {
    words = to;
    picture.ariaLabel = words.timelineSays(count("renewal"), count("request"), count(TROUBLE));
    legend.replaceChildren(
      ...Object.entries(words.legend).map(([name, text]) => {
        const key = h("i", { class: name, "aria-hidden": "true" });
        const item = h("li", {}, key);
        const words = h("span");
        say(words, text);
        item.append(words);
        return item;
      }),
    );
    if (width) build();
  };
  speak(words);
  return { element, add, speak };
}
