/** Where everything stands. */

import { h } from "./dom.js";
import type { Act } from "./outcome.js";
import { ACTS } from "./outcome.js";
import type { Speech } from "./speech.js";

/** What the page is put together from. */
export interface Parts {
  readonly where: Element;
  readonly tabs: readonly Element[];
  readonly buttons: Readonly<Record<Act, Element>>;
  readonly seen: Element;
  readonly busy: Element;
  readonly timeline: Element;
  readonly log: Element;
  readonly latency: Element;
  readonly costsHint: Element;
  readonly costs: Element;
  readonly api: Element;
}

/** The head of the page, with the switch of languages. */
export function head({ text, told, turn }: Speech, ...where: readonly Element[]): Element {
  const icon = h("img", { src: "/playground/icon.svg", alt: "", width: 28, height: 28 });
  const other = h("button", { type: "button", class: "quiet", onclick: turn });
  told(({ lang }) => (other.lang = lang === "en" ? "zh-CN" : "en"));
  return h(
    "header",
    { class: "top" },
    h("span", { class: "brand" }, icon, "Symbolon"),
    h("span", { class: "where" }, ...where),
    text(other, ({ other }) => other),
  );
}

/** A page that says why there is none. */
export const apology = (speech: Speech, title: "noKey" | "unreachable"): readonly Element[] => [
  head(speech),
  h(
    "main",
    { class: "apology" },
    speech.text(h("h1"), (words) => words[title]),
    speech.text(h("p"), ({ noKeyHow }) => (title === "noKey" ? noKeyHow : "")),
  ),
];

/** The page. */
export function layout(speech: Speech, parts: Parts): readonly Element[] {
  const { text } = speech;
  return [
    text(h("a", { class: "skip", href: "#acts", onclick: skip }), ({ skip }) => skip),
    head(speech, parts.where),
    h(
      "main",
      {},
      h(
        "div",
        { class: "lead" },
        text(h("h1"), ({ headline }) => headline),
        text(h("p"), ({ lead }) => lead),
      ),
      h("div", { class: "stage" }, ...parts.tabs, outside(speech, parts)),
      h("section", { class: "panel" }, parts.seen),
      minute(speech, parts),
      h("div", { class: "pair" }, log(speech, parts), latency(speech, parts)),
      costs(speech, parts),
    ),
    h(
      "footer",
      {},
      text(h("span"), ({ footer }) => footer),
      parts.api,
    ),
  ];
}

/** The fragment of the address is the page's key, and stays. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("acts")?.focus();
}

const outside = ({ text }: Speech, { buttons }: Parts) =>
  h(
    "section",
    { class: "panel outside", id: "acts", "aria-labelledby": "outside", tabindex: -1 },
    text(h("h2", { id: "outside" }), ({ outside }) => outside),
    text(h("p", { class: "soft" }), ({ outsideHint }) => outsideHint),
    h("div", { class: "acts" }, ...ACTS.map((act) => buttons[act])),
  );

const minute = ({ text }: Speech, { busy, timeline }: Parts) =>
  h(
    "section",
    { class: "panel" },
    h(
      "div",
      { class: "title" },
      text(h("h2"), ({ timeline }) => timeline),
      h(
        "label",
        {},
        busy,
        text(h("span"), ({ busy }) => busy),
      ),
    ),
    text(h("p", { class: "soft" }), ({ timelineHint }) => timelineHint),
    timeline,
  );

/** What can be scrolled can be reached by the keyboard, and has a name. */
const scrolled = (by: string, name: string, what: Element) =>
  h("div", { class: name, tabindex: 0, role: "region", "aria-labelledby": by }, what);

const log = ({ text }: Speech, { log }: Parts) =>
  h(
    "section",
    { class: "panel" },
    text(h("h2", { id: "log" }), ({ log }) => log),
    scrolled("log", "scroll", log),
  );

const latency = ({ text }: Speech, { latency }: Parts) =>
  h(
    "section",
    { class: "panel" },
    text(h("h2"), ({ latency }) => latency),
    latency,
    text(h("p", { class: "soft small" }), ({ latencyHint }) => latencyHint),
  );

const costs = ({ text }: Speech, { costsHint, costs }: Parts) =>
  h(
    "section",
    { class: "panel" },
    text(h("h2", { id: "costs" }), ({ costs }) => costs),
    costsHint,
    scrolled("costs", "wide", costs),
  );
