/**
 * What the authority told of a token when it was asked, and how long that is believed.
 *
 * What is told is kept where verified tokens are, under the whole token, and is judged as they are each time it is found: until
 * its `exp` at the latest, and until the feed tells of a change that concerns it.
 */

import { judge, warmOf, type Warm } from "./cache.js";
import {
  inTime,
  proved,
  sessionOfOpaque,
  standing,
  toAsk,
  wellFormed,
  type Expected,
  type Looked,
} from "./check.js";
import type { Claims } from "./claims.js";
import type { Now } from "./now.js";
import type { Policy } from "./policy.js";
import type { Presented } from "./presented.js";

/** Checks a token that says nothing itself, by what was told of it. */
export function lookTold(of: Expected, presented: Presented, policy: Policy, now: Now): Looked {
  const warm = of.cache.find(presented.token, of.keyring.generation);
  if (!warm) {
    // Its form can be seen and nothing else. That a session of that name is over would be told to whoever writes its name.
    wellFormed(() => sessionOfOpaque(presented.token));
    throw toAsk(of, policy, now);
  }
  const { claims } = warm;
  const judged = judge(warm, of.mirror);
  // Past its `exp`, by which no leeway counts, and once anything changed, an answer is not believed.
  const isOver = !judged && claims.exp * 1000 <= now.wall;
  if (judged?.effect === "stale" || isOver) throw toAsk(of, policy, now);
  if (!judged) inTime(claims, policy, now);
  of.hit();
  const proof = proved(of, presented, claims, policy, now);
  const stands = standing(of, judged, claims, policy, now);
  // What would have ended the session may be forgotten by now; the authority knows.
  const isForgotten = stands?.refusal.is === "expired";
  return { claims, kid: undefined, proof, standing: isForgotten ? toAsk(of, policy, now) : stands };
}

/** What was known of a token before it was asked about. */
export interface Sent {
  /** How often a key had been taken away. */
  readonly keys: number;
  /** What it was verified with, or was told before, if that is kept. */
  readonly kept: Warm | undefined;
  /** What it says itself, if it does. */
  readonly signed: Looked | undefined;
}

/** To be called before each question. */
export const beforeAsking = (of: Expected, token: string, signed: Looked | undefined): Sent => ({
  keys: of.keyring.generation,
  kept: of.cache.find(token, of.keyring.generation),
  signed,
});

/** Keeps what was told; a signed token only beside what it was verified with, since its signature is still by that key. */
export function keepTold(of: Expected, token: string, told: Claims, sent: Sent): void {
  const { signed, kept, keys } = sent;
  if (!signed) of.cache.keep(token, warmOf(of.mirror, told, undefined, keys));
  else if (kept) of.cache.keep(token, warmOf(of.mirror, told, kept.kid, kept.keys));
}

/** Keeps a thin token with what it leaves out: what a name stands for is never outdated. */
export const keepComplete = (of: Expected, token: string, whole: Claims, sent: Sent): void =>
  of.cache.keep(token, warmOf(of.mirror, whole, sent.signed?.kid, sent.keys));
