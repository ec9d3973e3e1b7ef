/**
 * What happens to a session in a browser, as one function: no I/O, no clock, no chance.
 *
 * Everything else of this package tells it what it saw and does what it answers.
 */

import { type Held, renewalOf } from "./tokens.js";

/** Where a session stands. `renewing` is also waiting for the next try after a failure. */
export type Phase =
  "restoring" | "signed-out" | "fresh" | "stale" | "renewing" | "displaced" | "ended";

/** Why a session is over (docs/DESIGN.md §4.3), and by which device if one took its place. */
export interface End {
  readonly reason: string;
  readonly device?: string | undefined;
}

/** All that is known. */
export interface State {
  readonly phase: Phase;
  readonly held?: Held | undefined;
  /** The renewal that counts; an answer to any other comes too late. */
  readonly flight: number;
  /** Failures in a row. */
  readonly failures: number;
  readonly end?: End | undefined;
  /** What is wrong with the set-up, if the authority said so. */
  readonly why?: string | undefined;
}

/** What was seen. `elsewhere`: by another tab, which has done what there was to do. */
export type Event =
  /** Somebody signed in. */
  | { readonly is: "signed-in"; readonly held: Held; readonly elsewhere?: boolean }
  /** The page begins, or signed in by a cookie: the first access token is to be fetched. */
  | { readonly is: "restore" }
  /** Another tab renewed. */
  | { readonly is: "adopted"; readonly held: Held; readonly elsewhere?: true }
  /** A request wants a token. */
  | { readonly is: "asked" }
  /** A service refused this access token in a way that a renewal may cure. */
  | { readonly is: "refused"; readonly token: string }
  /** The authority says that what it says of the person has changed. */
  | { readonly is: "told-stale" }
  /** The page came back to life, or a timer hints that it is time. */
  | { readonly is: "woke" }
  /** A renewal was answered. */
  | { readonly is: "renewed"; readonly flight: number; readonly held: Held }
  /** A token for another resource was fetched, which replaced the refresh token `from`. */
  | { readonly is: "rotated"; readonly from: string | undefined; readonly to: string | undefined }
  /** The authority refused to renew: signed out, for this reason if there was a session. */
  | { readonly is: "denied"; readonly flight: number; readonly reason?: string | undefined }
  /** No answer, or none that says anything about the session. */
  | { readonly is: "failed"; readonly flight: number; readonly retryMs: number }
  /** The authority refuses the client itself: nothing of the session changed, and trying again is no use. */
  | { readonly is: "misconfigured"; readonly flight: number; readonly why: string }
  /** The authority says that the session is over. */
  | { readonly is: "told-ended"; readonly end: End; readonly elsewhere?: boolean }
  /** Somebody signed out. */
  | { readonly is: "signed-out"; readonly elsewhere?: boolean };

/** What listeners hear of by the machine. */
export type Name = "renewed" | "stale" | "offline" | "ended" | "displaced" | "ending-soon";

/** What is to be done. */
export type Effect =
  /** Ask the authority for new tokens. */
  | readonly ["renew"]
  /** Look again after so many milliseconds. Only a hint: a page that sleeps is woken by what wakes it. */
  | readonly ["wake", number]
  /** Keep what is held, or forget it, and tell the other tabs. */
  | readonly ["share", "signed-in" | "renewed" | "ended" | "signed-out"]
  /** Tell the authority that the holder of this refresh token signed out. */
  | readonly ["revoke", string | undefined]
  /** Tell listeners. */
  | readonly ["emit", Name];

/** The new state, and what is to be done. */
export type Step = readonly [State, readonly Effect[]];

/** How long before its end a session that was just renewed is said to be about to end: the authority's `WARNED_BEFORE`. */
export const WARNED_BEFORE_MS = 120_000;

/** How every page begins. */
export const initial: State = { phase: "restoring", flight: 0, failures: 0 };

/** The token to send at once, if there is one that needs no thought. */
export const ready = ({ phase, held }: State, now: number): Held | undefined =>
  phase === "fresh" && held && now < renewalOf(held) ? held : undefined;

/** The token to send although it is being renewed, or could not be; a spent one is not sent. */
export const usable = ({ phase, held }: State, now: number): Held | undefined =>
  (phase === "fresh" || phase === "renewing") && held && now < renewalOf(held, 0.25)
    ? held
    : undefined;

/** Whether a request waits for what comes. */
export const waits = ({ phase }: State): boolean => phase === "restoring" || phase === "renewing";

/** When the session ends if it is not used, or in any case. */
export const endsAt = ({ tokens, at }: Held): number =>
  at + (tokens.refresh_expires_in ?? Infinity) * 1000;

/** Decides. */
export function next(state: State, event: Event, now: number): Step {
  const { phase, held, flight } = state;
  // An answer to a renewal that no longer counts: somebody signed out, or another tab was faster.
  if ("flight" in event && event.flight !== flight) return [state, []];
  switch (event.is) {
    case "signed-in":
      return fresh(event.held, event.elsewhere ? [] : [["share", event.is]]);
    case "restore":
      return renew({ ...initial, flight });
    case "adopted":
      return isNews(event.held) ? fresh(event.held, []) : [state, []];
    case "asked":
      return isDue() ? renew(state) : [state, []];
    case "refused":
      return held?.tokens.access_token === event.token ? renewSpent([]) : [state, []];
    case "told-stale":
      return renewSpent([["emit", "stale"]]);
    case "woke":
      return isDue() || (waits(state) && state.failures) ? renew(state) : [state, []];
    case "renewed":
      return fresh(event.held, [["share", event.is], ["emit", event.is], ...warning(event.held)]);
    case "rotated":
      if (!held || held.tokens.refresh_token !== event.from) return [state, []];
      return [{ ...state, held: rotated(held, event.to) }, [["share", "renewed"]]];
    case "denied":
      // Whoever never was signed in here hears no reason and misses nothing.
      if (!event.reason && !held) return [{ ...state, phase: "signed-out" }, []];
      return over({ reason: event.reason ?? "unknown" });
    case "failed":
      return [
        { ...state, failures: state.failures + 1 },
        [["wake", event.retryMs], ...(state.failures ? [] : [["emit", "offline"] as const])],
      ];
    case "misconfigured":
      return [{ ...state, phase: held ? "stale" : "signed-out", why: event.why }, []];
    case "told-ended":
      return isOver() ? [state, []] : over(event.end, event.elsewhere);
    case "signed-out":
      return end(
        event.is,
        { reason: "signed_out" },
        event.elsewhere
          ? []
          : [
              ["revoke", held?.tokens.refresh_token],
              ["share", event.is],
            ],
      );
  }

  function isOver(): boolean {
    return phase === "signed-out" || phase === "ended" || phase === "displaced";
  }

  /** Whether the token is to be renewed and nobody does. */
  function isDue(): boolean {
    return phase === "stale" || (phase === "fresh" && !ready(state, now));
  }

  /**
   * What another tab has is taken by a page that has nothing yet, or something older of the same session; also by one
   * that asked in vain, since the other may have been slow to answer. Whoever signed out or was, stays so.
   */
  function isNews({ tokens, count }: Held): boolean {
    return (
      !state.end && (!held || (held.tokens.session_id === tokens.session_id && held.count < count))
    );
  }

  function fresh(held: Held, effects: readonly Effect[]): Step {
    return [
      { ...initial, phase: "fresh", held, flight: flight + 1 },
      [...effects, ["wake", renewalOf(held) - now]],
    ];
  }

  /** A page that restores stays so until it knows. */
  function renew(state: State): Step {
    return [
      {
        ...state,
        phase: phase === "restoring" ? phase : "renewing",
        flight: flight + 1,
        why: undefined,
      },
      [["renew"]],
    ];
  }

  /** Sends the token no more, and renews it unless that is under way. */
  function renewSpent(effects: readonly Effect[]): Step {
    if (!held) return [state, []];
    const spent = { ...state, held: { ...held, early: Infinity } };
    if (phase === "renewing") return [spent, []];
    const [to, own] = renew(spent);
    return [to, [...effects, ...own]];
  }

  function warning(held: Held): readonly Effect[] {
    return endsAt(held) - now <= WARNED_BEFORE_MS ? [["emit", "ending-soon"]] : [];
  }

  function over(why: End, elsewhere?: boolean): Step {
    const phase = why.reason === "displaced" ? "displaced" : "ended";
    return end(phase, why, [...(elsewhere ? [] : [["share", "ended"] as const]), ["emit", phase]]);
  }

  function end(phase: Phase, end: End, effects: readonly Effect[]): Step {
    return [{ ...initial, phase, flight: flight + 1, end }, effects];
  }
}

const rotated = (held: Held, to: string | undefined): Held => ({
  ...held,
  tokens: { ...held.tokens, ...(to && { refresh_token: to }) },
  count: held.count + 1,
});
