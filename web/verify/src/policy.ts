/** What a route asks of a token. */

import { scopesOf, type Claims } from "./claims.js";
import { Rejected } from "./rejected.js";

/**
 * The most that a policy may forgive of a clock, in milliseconds. Inclusive.
 *
 * The authority's feed forgets a revocation this long after the last token that it hits has expired; a verifier that forgave
 * more would let a revoked token in again.
 */
export const LEEWAY_MS_MAX = 60_000;

/** How far ahead of this clock a token may be dated (`iat`, `nbf`) in any case: clocks differ. */
const AHEAD_MS_MIN = 10_000;

/** How old the knowledge of revocations may be. */
export type Staleness =
  /** Refuse when it is older. */
  | { readonly is: "strict"; readonly ms: number }
  /** Ask the authority when it is older, and refuse if it cannot answer. */
  | { readonly is: "bounded"; readonly ms: number }
  /** Accept until `exp`, unless something is known against the token. */
  | { readonly is: "offline" };

/** The same for a token that itself asks for knowledge that is no older than so many milliseconds. */
export function withinOf(route: Staleness, ms: number | undefined): Staleness {
  if (ms === undefined) return route;
  if (route.is === "offline") return { is: "bounded", ms };
  return { is: route.is, ms: Math.min(route.ms, ms) };
}

/** What a route may ask for beside a good token. Everything that is named must hold. */
export interface Asks {
  /** Scopes, each of which must be in the token (RFC 9068 §2.2.3). Without any, every token for this audience will do. */
  readonly scope?: string | readonly string[];
  /** Roles of the subject, each of which must be in the token; those of the moment of issue. */
  readonly role?: string | readonly string[];
  /**
   * How long ago the person may have been authenticated (`auth_time`), in seconds; else they are asked to step up (RFC 9470).
   * A renewal never makes an authentication younger.
   */
  readonly maxAge?: number;
  /** The levels of which one must be the token's (`acr`), exactly so named; they have no order here. */
  readonly acr?: readonly string[];
  /**
   * Forgives a clock that goes wrong: a token is accepted so many milliseconds after its `exp`. At most a minute, and none by
   * default: it lengthens the life of every token, a stolen one too.
   */
  readonly leewayMs?: number;
  /**
   * Lets bound tokens in that come without a good proof of their key, and counts them: to see whom a binding would shut out
   * before it is in force. Meanwhile a bound token is worth what a bearer token is worth.
   */
  readonly reportBindings?: boolean;
}

/** What one route asks of a token; made once by `strict`, `bounded` or `offline`, used for every request. */
export interface Policy {
  readonly staleness: Staleness;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly maxAge: number | undefined;
  readonly acr: readonly string[];
  readonly leewayMs: number;
  readonly reportsBindings: boolean;
}

/**
 * Refuses when the knowledge of revocations is older than so many milliseconds: an ended session is refused that long after
 * its end at the latest. While the authority cannot be heard, the route is closed.
 */
export const strict = (ms: number, asks: Asks = {}): Policy =>
  policyOf({ is: "strict", ms: span(ms) }, asks);

/**
 * Asks the authority when the knowledge of revocations is older than so many milliseconds, and refuses if it cannot answer.
 * Requests wait for the authority while the feed is late.
 */
export const bounded = (ms: number, asks: Asks = {}): Policy =>
  policyOf({ is: "bounded", ms: span(ms) }, asks);

/**
 * Accepts a genuine token until its `exp` unless it is known to be revoked, and asks nobody: while the feed is silent, or
 * without one, an ended session goes on until its token expires.
 */
export const offline = (asks: Asks = {}): Policy => policyOf({ is: "offline" }, asks);

/** How far ahead of the clock a token may be dated. */
export const aheadMs = ({ leewayMs }: Policy): number => Math.max(leewayMs, AHEAD_MS_MIN);

/** Refuses claims that do not suffice at `wall`. Rights come first: stepping up gives nobody a scope. */
export function permit(policy: Policy, claims: Claims, wall: number): void {
  const scopes = scopesOf(claims);
  const hasScopes = policy.scopes.every((name) => scopes.includes(name));
  const hasRoles = policy.roles.every((name) => claims.roles.includes(name));
  if (!hasScopes || !hasRoles)
    throw new Rejected({ is: "insufficient_scope", needed: policy.scopes.join(" ") });
  if (!isRecent(policy, claims, wall) || !isStrong(policy, claims))
    throw new Rejected({
      is: "insufficient_user_authentication",
      max_age: policy.maxAge,
      acr: policy.acr.join(" "),
    });
}

function isRecent({ maxAge, leewayMs }: Policy, { auth_time }: Claims, wall: number): boolean {
  if (maxAge === undefined) return true;
  return auth_time !== undefined && wall <= (auth_time + maxAge) * 1000 + leewayMs;
}

const isStrong = (policy: Policy, { acr }: Claims): boolean =>
  !policy.acr.length || (acr !== undefined && policy.acr.includes(acr));

function policyOf(staleness: Staleness, asks: Asks): Policy {
  const { maxAge, leewayMs = 0 } = asks;
  return Object.freeze({
    staleness,
    scopes: list(asks.scope),
    roles: list(asks.role),
    maxAge: maxAge === undefined ? undefined : Math.floor(span(maxAge)),
    acr: list(asks.acr),
    leewayMs: Math.min(span(leewayMs), LEEWAY_MS_MAX),
    reportsBindings: asks.reportBindings === true,
  });
}

const list = (names: string | readonly string[] = []): readonly string[] =>
  typeof names === "string" ? names.split(" ").filter((name) => name !== "") : [...names];

/** A wrong number would compare as false and close or open a route in silence. */
function span(number: number): number {
  if (!(number >= 0)) throw new TypeError("a span of time must be a number and not negative");
  return number;
}
