/** What the page says, in both languages. */

import { en } from "./words-en.js";
import { zh } from "./words-zh.js";
import type { Act, Outcome } from "./outcome.js";
import type { Entry } from "./wire.js";

export type Language = "en" | "zh";

/** A button: what it is called, and what it does. */
export interface Label {
  readonly name: string;
  readonly hint: string;
}

/** All of it. */
export interface Words {
  readonly lang: string;
  readonly title: string;
  readonly headline: string;
  readonly lead: string;
  readonly skip: string;
  readonly other: string;
  readonly noKey: string;
  readonly noKeyHow: string;
  readonly unreachable: string;
  readonly tab: (who: string) => string;
  readonly outside: string;
  readonly outsideHint: string;
  readonly acts: Readonly<Record<Act, Label>>;
  readonly faults: Readonly<
    Record<"lose" | "offline" | "clock", readonly [off: string, on: string]>
  >;
  readonly faultNotes: Readonly<
    Record<"lost" | "found" | "offline" | "online" | "ahead" | "right" | "quiet", string>
  >;
  readonly ring: (left: number, of: number) => string;
  readonly left: string;
  readonly none: string;
  readonly phases: Readonly<Record<string, string>>;
  readonly rows: Readonly<Record<"role" | "renewals" | "answer" | "clock", string>>;
  readonly renewals: (own: number, taken: number) => string;
  readonly waits: string;
  readonly over: (reason: string, device?: string) => string;
  readonly signIn: string;
  readonly signingIn: string;
  readonly seen: string;
  readonly nothingYet: string;
  readonly figures: Readonly<Record<string, string>>;
  readonly outcome: (outcome: Outcome) => string;
  readonly timeline: string;
  readonly timelineHint: string;
  readonly busy: string;
  readonly ago: (seconds: number) => string;
  readonly legend: Readonly<Record<"life" | "request" | "renewal" | "taken" | "trouble", string>>;
  readonly lanes: Readonly<Record<"A" | "B" | "outside", string>>;
  readonly timelineSays: (renewals: number, requests: number, refused: number) => string;
  readonly log: string;
  readonly columns: readonly [at: string, who: string, what: string, took: string];
  readonly entry: (entry: Entry) => string;
  readonly latency: string;
  readonly latencyHint: string;
  readonly latencyNone: string;
  readonly latencyOf: (count: number, median: string) => string;
  readonly costs: string;
  readonly costsHint: (client: string, preset: string) => string;
  readonly inForce: string;
  readonly costColumns: readonly string[];
  readonly presetMeans: Readonly<Record<string, string>>;
  readonly never: string;
  readonly bytes: (bytes: number) => string;
  readonly footer: string;
  readonly api: string;
}

export const words: Readonly<Record<Language, Words>> = { en, zh };

/** The language that was chosen here, else the browser's. */
export function preferred(): Language {
  const chosen = localStorage.getItem(KEPT);
  if (chosen === "en" || chosen === "zh") return chosen;
  return navigator.languages.find((tag) => /^(en|zh)\b/.test(tag))?.startsWith("zh") ? "zh" : "en";
}

/** Keeps a choice. */
export const prefer = (language: Language): void => localStorage.setItem(KEPT, language);

const KEPT = "symbolon playground language";
