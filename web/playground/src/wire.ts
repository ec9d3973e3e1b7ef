/** What the page and its two tabs say to each other. All are of one origin, so that calls will do. */

import type { Client } from "@symbolon/client";
import type { Language } from "./words.js";

/** What the back end of `symbolon dev` tells of itself. */
export interface Setup {
  /** Where pages reach the authority. */
  readonly authority: string;
  /** Its name in tokens. */
  readonly issuer: string;
  /** The demo APIs: services that know the authority only by its feed. */
  readonly demo_apis: readonly string[];
  readonly client_id: string;
  /** How long a replaced refresh token still earns its successor. */
  readonly grace_ms: number;
  /** `symbolon explain client`: the preset in force, then what it would be under the others. */
  readonly presets: readonly Explained[];
}

/** What `symbolon explain client --json` says, as far as it is shown. */
export interface Explained {
  readonly preset: string;
  readonly settings: readonly { readonly setting: string; readonly value: string }[];
  readonly costs: {
    readonly revoked_lives: readonly { readonly of: string; readonly at_most_ms: number | null }[];
    readonly per_1000_requests: readonly { readonly reads: number; readonly writes: number }[];
    readonly bytes: readonly { readonly when: string; readonly bytes: number }[];
  };
}

/** Who did something: a tab, or whoever is not in a tab. */
export type Who = "A" | "B" | "outside";

/** What the timeline shows of it. */
export type Mark =
  /** A tab holds another access token. */
  | "life"
  | "request"
  | "refused"
  | "renewal"
  | "taken"
  | "lost"
  | "unsent"
  | "ended"
  | "signed-in"
  | "act";

/** Something that happened. Instants are of `now`. */
export interface Entry {
  readonly at: number;
  readonly who: Who;
  readonly mark: Mark;
  /** How long it took. */
  readonly ms?: number;
  /** What was answered, if it was anything. */
  readonly status?: number;
  /** Which act, which request, or why. */
  readonly about?: string;
  /** Until when the access token lives that came of it. */
  readonly until?: number;
}

/** Tokens that the authority granted, as they were seen on the wire. */
export interface Grant {
  readonly sid: string;
  readonly access: string;
  readonly refresh?: string | undefined;
  readonly at: number;
}

/** A tab, as the page sees it. */
export interface Tab {
  readonly who: Who;
  readonly client: Client;
  readonly isOffline: boolean;
  /** The role that the demo API last saw in this tab's token. */
  readonly role: string;
  /** Renews now, as if a service had asked for it. */
  renew(): Promise<void>;
  speak(language: Language): void;
}

/** The page, as its tabs see it. */
export interface Shell {
  readonly setup: Setup;
  readonly language: Language;
  /** Whether tabs send requests by themselves. */
  readonly isBusy: boolean;
  join(tab: Tab): void;
  saw(entry: Entry): void;
  granted(grant: Grant): void;
  /** Signs in at the back end, for this tab. */
  signIn(tab: Tab): Promise<void>;
  /** Looks again what can be done. */
  changed(): void;
  /** Says how much room a tab needs. */
  needs(who: Who, height: number): void;
}

declare global {
  interface Window {
    playground?: Shell;
  }
}

/** Milliseconds since 1970 that nobody can set while a page lives, the same in all frames. */
export const now = (): number => performance.timeOrigin + performance.now();
