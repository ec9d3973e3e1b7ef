/**
 * What happens to a session in a browser, as one function: no I/O, no clock, no chance.
 *
 * Everything else of this package tells it what it saw and does what it answers.
 */

import type { Told } from "./options.js";
import { type Held, renewalOf } from "./tokens.js";

/**
 * Where a session stands. `renewing`: the token is still good, and its successor is under way; `stale`: it is not, and
 * requests wait. Both are also waiting for the next try after a failure.
 */
export type Phase =
  "restoring" | "signed-out" | "fresh" | "stale" | "renewing" | "displaced" | "ended";

/** Why a session is over (docs/DESIGN.md §4.3), and by which device if one took its place. */
export interface End {
  readonly reason: string;
  readonly device?: string | undefined;
}

/** Which session; none, where it is not known whether there is one. */
export type Sid = string | undefined;

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

/** What was seen. */
export type Event =
  | Shared
  /** The page begins, or signed in by a cookie: the first access token is to be fetched. */
  | { readonly is: "restore" }
  /** Another tab asks what there is. */
  | { readonly is: "hello" }
  /** A request wants a token. */
  | { readonly is: "asked" }
  /** A token is not to be sent any more: a service refused it, or what it says of the person has changed. */
  | { readonly is: "spent"; readonly token?: string; readonly stale?: boolean }
  /** The page came back to life, or a timer hints that it is time. */
  | { readonly is: "woke" }
  /** A renewal was answered. */
  | { readonly is: "renewed"; readonly flight: number; readonly held: Held }
  /** The authority refused to renew: signed out, for a reason if there was a session. */
  | { readonly is: "denied"; readonly flight: number; readonly end?: End | undefined }
  /** No answer, or none that says anything about the session; with `why`, if the authority refuses the client itself. */
  | {
      readonly is: "failed";
      readonly flight: number;
      readonly retryMs: number;
      readonly why?: string | undefined;
    };

/** What was seen, and is told to the other tabs. `elsewhere`: one of them saw it, and did what there was to do. */
export type Shared = { readonly elsewhere?: boolean } & (
  | { readonly is: "signed-in"; readonly held: Held }
  /** Another tab renewed; or here the refresh token was replaced, beside the access token. */
  | { readonly is: "adopted"; readonly held: Held }
  /** The authority says that the session is over. */
  | { readonly is: "over"; readonly end: End; readonly sid: Sid }
  | { readonly is: "signed-out" }
);

/** What is to be done, in the order in which it is named. */
export interface Effects {
  /** Tell listeners. */
  readonly emit?: Partial<Told>;
  /** Ask the authority for new tokens, in this flight. */
  readonly renew?: number;
  /** Tell the authority that the holder of this refresh token signed out. */
  readonly revoke?: string | undefined;
  /** Keep what is held for the next page, or forget it if nothing is. */
  readonly keep?: Held | undefined;
  /** Tell the other tabs. */
  readonly tell?: Shared;
  /** Drop this if it is kept: a renewal may have been answered after another tab had everything forgotten. */
  readonly drop?: Held | undefined;
  /** Look again after so many milliseconds. Only a hint: a page that sleeps is woken by what wakes it. */
  readonly wake?: number;
  /** Let the page sign in again, while requests wait. */
  readonly hold?: End;
}

/** The new state, and what is to be done. */
export type Step = readonly [State, Effects];

/** How every page begins. */
export const initial: State = { phase: "restoring", flight: 0, failures: 0 };

/** The token to send although it is being renewed, or could not be; a spent one is not sent. */
export const usable = ({ phase, held }: State, now: number): Held | undefined =>
  (phase === "fresh" || phase === "renewing") && held && now < renewalOf(held, 0.25)
    ? held
    : undefined;

/** Whether a request waits for what comes. */
export const waits = ({ phase }: State): boolean =>
  phase === "restoring" || phase === "stale" || phase === "renewing";

/** Decides. */
export function next(state: State, event: Event, now: number): Step {
  const { phase, held, flight, failures } = state;
  const sid = held?.tokens.session_id;
  const isWaiting = waits(state);
  /** Whether the token is to be renewed and nobody does. */
  const isDue = phase === "fresh" && renewalOf(held!) <= now;
  const stay: Step = [state, {}];
  // An answer to a renewal that no longer counts: somebody signed out, or another tab was faster.
  if ("flight" in event && event.flight !== flight) return stay;
  switch (event.is) {
    case "signed-in":
      return fresh(event);
    case "restore":
      return renew(initial);
    case "hello":
      // Also a token that is due: whoever asks may have none, and this page may be one that nobody looks at.
      return held ? [state, { tell: { is: "adopted", held, elsewhere: true } }] : stay;
    case "adopted":
      return isNews(event.held) ? fresh(event) : stay;
    case "asked":
      return isDue ? renew(state) : stay;
    case "spent":
      return held && held.tokens.access_token === (event.token ?? held.tokens.access_token)
        ? renewSpent(held, event.stale)
        : stay;
    case "woke":
      return isDue || (isWaiting && failures) ? renew(state) : stay;
    case "renewed":
      return fresh({ is: "adopted", held: event.held }, { renewed: undefined });
    case "denied":
      // Whoever never was signed in here hears no reason and misses nothing.
      if (!event.end && !held) return [{ ...state, phase: "signed-out" }, {}];
      return over({ is: "over", end: event.end ?? { reason: "unknown" }, sid });
    case "failed":
      return [
        { ...state, failures: failures + 1, why: event.why },
        { emit: failures || event.why ? {} : { offline: undefined }, wake: event.retryMs },
      ];
    case "over":
      return held && event.sid === sid ? over(event) : stay;
    case "signed-out":
      return begin(
        { phase: event.is, end: { reason: "signed_out" } },
        event.elsewhere ? { drop: held } : { revoke: held?.tokens.refresh_token, ...shared(event) },
      );
  }

  /**
   * What another tab has is taken by a page that has nothing yet, or something older of the same session; also by one
   * that asked in vain, since the other may have been slow to answer. Whoever signed out or was, stays so.
   */
  function isNews({ tokens, count }: Held): boolean {
    return !state.end && (!held || (sid === tokens.session_id && held.count < count));
  }

  function fresh(event: Shared & { held: Held }, emit: Partial<Told> = {}): Step {
    const { held } = event;
    return begin({ phase: "fresh", held }, { ...shared(event), emit, wake: renewalOf(held) - now });
  }

  /** No answer to what was asked before counts from here on. */
  function begin(to: Partial<State>, effects: Effects): Step {
    return [{ ...initial, ...to, flight: flight + 1 }, effects];
  }

  /** A page that restores stays so until it knows, and a stale one until it has another token. */
  function renew(state: State): Step {
    const to = isWaiting ? phase : "renewing";
    return begin({ ...state, phase: to }, { renew: flight + 1 });
  }

  /** Sends the token no more, and renews it unless that is under way. */
  function renewSpent(held: Held, isStale?: boolean): Step {
    const spent = { ...state, phase: "stale", held: { ...held, early: Infinity } } as const;
    if (isWaiting) return [spent, {}];
    return begin(spent, { emit: isStale ? { stale: undefined } : {}, renew: flight + 1 });
  }

  function over(event: Shared & { end: End }): Step {
    const { end } = event;
    const phase = end.reason === "displaced" ? "displaced" : "ended";
    return begin(
      { phase, end },
      { ...shared(event), drop: held, emit: { [phase]: end }, hold: end },
    );
  }
}

/** What was seen is kept and told by the tab that saw it. */
const shared = (event: Shared & { held?: Held }): Effects =>
  event.elsewhere ? {} : { keep: event.held, tell: { ...event, elsewhere: true } };
