/** From an answer of the authority to what the page holds. */

/** What the authority answers to a sign-in or a renewal (RFC 6749 §5.1, docs/INTERFACE.md). */
export interface Tokens {
  readonly access_token: string;
  readonly expires_in: number;
  readonly session_id: string;
  readonly token_type?: string;
  /** Left out where it is in a cookie, or in a worker. */
  readonly refresh_token?: string;
  readonly refresh_expires_in?: number;
}

/** What the page holds of a session. Times are of the page's own monotonic clock, in milliseconds. */
export interface Held {
  readonly tokens: Tokens;
  /** When they were received: lives count from then, so that no other clock is needed. */
  readonly at: number;
  /** How long before its end the access token is renewed; `Infinity` for one that is not to be sent any more. */
  readonly early: number;
  /** How often the session was renewed, as far as its pages know: which of two is newer. */
  readonly count: number;
}

/** The longest time before its end at which a token is renewed. Inclusive. */
const EARLY_MS_MAX = 60_000;

/** The part of its life at whose beginning a token is renewed, if that is later. */
const EARLY_PART = 0.2;

/** What a page holds after an answer; `chance` (0 to 1) keeps pages from renewing at the same instant. */
export const heldOf = (tokens: Tokens, at: number, chance: number, count: number): Held => ({
  tokens,
  at,
  early: Math.min(EARLY_MS_MAX, tokens.expires_in * 1000 * EARLY_PART) * (0.8 + 0.2 * chance),
  count,
});

/** The instant from which a token is renewed; with a `part` of the time before its end, a later one. */
export const renewalOf = ({ tokens, at, early }: Held, part = 1): number =>
  at + tokens.expires_in * 1000 - early * part;
