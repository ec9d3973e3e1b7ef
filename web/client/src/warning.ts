/** The warning before a session ends. */

import type { Held } from "./tokens.js";

/** How long before its end a session that was just renewed is said to be about to end: the authority's `WARNED_BEFORE`. */
export const WARNED_BEFORE_MS = 120_000;

/** In how many milliseconds the session ends, if it is not used or in any case; nothing where that is far. */
export function endingOf({ tokens, at }: Held, now: number): number | undefined {
  const inMs = at + (tokens.refresh_expires_in ?? Infinity) * 1000 - now;
  return inMs <= WARNED_BEFORE_MS ? inMs : undefined;
}
