/** The check of a token, in the order of RFC 9068 §4. No I/O, no clock. */

import type { Algorithm, TokenType } from "./alg.js";
import { decode, utf8 } from "./base64url.js";
import { judge, warmOf, type Cache, type Warm } from "./cache.js";
import { claimsOf, type Claims } from "./claims.js";
import type { Proofs } from "./dpop.js";
import type { KeySet } from "./jwk.js";
import { headerOf, isEncrypted, Refused, split, verify, type Payload } from "./jws.js";
import { Unopened, type Open } from "./jwe.js";
import type { Keyring } from "./keyring.js";
import { Malformed } from "./malformed.js";
import type { Judgement, Mirror } from "./mirror.js";
import type { Now } from "./now.js";
import { aheadMs, LEEWAY_MS_MAX, withinOf, type Policy } from "./policy.js";
import type { Presented } from "./presented.js";
import { Rejected } from "./rejected.js";
import { isOnlyReported } from "./surroundings.js";

/** What a token must be, and what to tell it by. */
export interface Expected {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly Algorithm[];
  readonly typ: TokenType;
  readonly keyring: Keyring;
  readonly cache: Cache;
  readonly mirror: Mirror;
  readonly proofs: Proofs;
  /** What opens encrypted tokens; without it there are none. */
  readonly open: Open | undefined;
  /** Whether a token that is signed alone is refused. */
  readonly requireEncrypted: boolean;
  /** Whether there is anybody to ask about a token. */
  readonly asks: boolean;
  /** No knowledge that is older is good enough, whatever a policy says. In milliseconds. */
  readonly maxStalenessMs: number;
  /** A bound token was let in without a good proof, because the policy only reports. */
  reported(): void;
  /** A token was found verified already. */
  hit(): void;
}

/** A genuine token for us, in time and proved. */
export interface Looked {
  readonly claims: Claims;
  /** The key that signed it, if it is signed. */
  readonly kid: Buffer | undefined;
  /** The proof that came with it, to be used up by the request that is let in. */
  readonly proof: string | undefined;
  /** Why it is not let in all the same: what is known of its session, or that too little is. */
  readonly standing: Rejected | undefined;
}

/** What an opaque token begins with. */
const OPAQUE = "sym_at_";

/** Whether a token says nothing itself. */
export const isOpaque = (token: string): boolean => token.startsWith(OPAQUE);

/** The session that an opaque token of the right form names; nobody has vouched for it. */
export function sessionOfOpaque(token: string): string {
  const bytes = decode(token.slice(OPAQUE.length), "access token");
  if (bytes.length !== 42) throw new Malformed("access token", "has the wrong length");
  return bytes.subarray(2, 18).toString("base64url");
}

/** Checks everything that the token itself can tell, and what the mirror knows against it. */
export function look(of: Expected, presented: Presented, policy: Policy, now: Now): Looked {
  const found = of.cache.find(presented.token, of.keyring.generation);
  const [warm, keeps] = found ? [found, false] : verified(of, presented.token);
  const { claims } = warm;
  inTime(claims, policy, now);
  if (found) of.hit();
  else if (keeps) of.cache.keep(presented.token, warm);
  const proof = proved(of, presented, claims, policy, now);
  const stands = standing(of, judge(warm, of.mirror), claims, policy, now);
  const mayPass = !stands || stands.refusal.is === "ask";
  const isThin = claims.rights !== undefined && mayPass;
  const isOnce = claims.one_use && mayPass;
  const toRedeem = isOnce ? new Rejected({ is: "ask" }) : stands;
  return { claims, kid: warm.kid, proof, standing: isThin ? toAsk(of, policy, now) : toRedeem };
}

/** Whom a policy closes the route to while the mirror is too old, nobody need ask about. */
export function toAsk(of: Expected, policy: Policy, now: Now): Rejected {
  const tooOld = fresh(of, policy, undefined, now);
  if (tooOld?.refusal.is === "unverifiable") return tooOld;
  return new Rejected(of.asks ? { is: "ask" } : { is: "unverifiable", what: "opaque" });
}

/**
 * RFC 9068 §4 lists type, issuer, audience, signature, expiry. The signature comes first here, since nobody has vouched for a
 * claim before it (OWASP ASVS 9.1.1); all of them must hold anyway.
 */
function verified(of: Expected, token: string): [Warm, boolean] {
  const { current: keys, generation } = of.keyring;
  if (!keys) throw new Rejected({ is: "unverifiable", what: "keys" });
  const payload = signature(of, keys, opened(of, token));
  if (payload.typ !== of.typ) throw new Rejected({ is: "untrusted", what: "type" });
  const claims = wellFormed(() => claimsOf(utf8(payload.bytes, "claims")));
  meantForUs(of, claims);
  const { kid: name, alg } = payload.key;
  const kid = name === undefined ? undefined : keyIdOf(name);
  // Whoever checks a MAC does it faster than whoever looks for its answer; and what is incomplete is not kept.
  const keeps = alg !== "HS256" && claims.rights === undefined && !claims.one_use;
  return [warmOf(of.mirror, claims, kid, generation), keeps];
}

/** What a policy makes of it: nothing that is known is forgiven, and what is not known may be too old. */
export function standing(
  of: Expected,
  judged: Judgement | undefined,
  claims: Claims,
  policy: Policy,
  now: Now,
): Rejected | undefined {
  if (judged?.effect === "revoked") return new Rejected({ is: "revoked", ended: judged.reason });
  if (judged) return outdated(of, claims);
  // After the mirror: what ended it may be forgotten, and a wall clock that was set back revives nothing.
  if (claims.exp * 1000 + LEEWAY_MS_MAX < of.mirror.forgotten * 1000)
    return new Rejected({ is: "expired" });
  return fresh(of, policy, claims.staleness, now);
}

/** Whether the mirror is new enough for a policy, and for a token that asks for so many seconds itself. */
export function fresh(
  of: Expected,
  policy: Policy,
  seconds: number | undefined,
  now: Now,
): Rejected | undefined {
  const staleness = withinOf(policy.staleness, seconds && seconds * 1000);
  if (staleness.is === "offline") return undefined;
  const age = of.mirror.age(now);
  if (age !== undefined && age <= Math.min(staleness.ms, of.maxStalenessMs)) return undefined;
  return staleness.is === "strict" && of.mirror.isFollowed
    ? new Rejected({ is: "unverifiable", what: "session" })
    : new Rejected({ is: "ask" });
}

/**
 * What is made of a token that a change has made stale: whoever can replace it does. The authority writes its own name into
 * `aud` beside others for clients that cannot (docs/DESIGN.md §4.6).
 */
function outdated(of: Expected, { aud }: Claims): Rejected {
  const isLasting = of.audience !== of.issuer && aud.includes(of.issuer);
  return new Rejected({ is: of.asks && isLasting ? "ask" : "stale" });
}

/** Refuses what is for another audience or another issuer's; names are compared whole (CVE-2024-53861). */
export function meantForUs(of: Expected, { iss, aud }: Claims): void {
  if (iss !== of.issuer) throw new Rejected({ is: "untrusted", what: "issuer" });
  if (!aud.includes(of.audience)) throw new Rejected({ is: "untrusted", what: "audience" });
}

/** Refuses what does not hold yet, or any more. */
export function inTime({ iat, nbf, exp }: Claims, policy: Policy, { wall }: Now): void {
  if (wall + aheadMs(policy) < Math.max(iat, nbf ?? 0) * 1000)
    throw new Rejected({ is: "untrusted", what: "not_yet" });
  if (exp * 1000 + policy.leewayMs <= wall) throw new Rejected({ is: "expired" });
}

/** Checks what a token is bound to, features, network and key, and answers the name of the proof of that. */
export function proved(
  of: Expected,
  presented: Presented,
  { jkt, imprints, sid }: Claims,
  policy: Policy,
  now: Now,
): string | undefined {
  try {
    if (imprints && isOnlyReported(presented, sid!, imprints)) of.reported();
    return of.proofs.check(presented, jkt, now);
  } catch (why) {
    if (!(why instanceof Rejected) || !policy.reportsBindings) throw why;
    of.reported();
    return undefined;
  }
}

/** Runs what reads a stranger's text. */
export function wellFormed<T>(read: () => T): T {
  try {
    return read();
  } catch (why) {
    if (why instanceof Malformed) throw new Rejected({ is: "malformed", why: why.message });
    throw why;
  }
}

/** The signed token: what is in an encrypted one, of which nobody has vouched for a word. */
export function opened({ open, requireEncrypted }: Expected, token: string): string {
  if (!isEncrypted(token)) {
    if (requireEncrypted) throw new Rejected({ is: "untrusted", what: "not_encrypted" });
    return token;
  }
  if (!open)
    throw new Rejected({ is: "malformed", why: "token: is encrypted, and there is no key here" });
  try {
    return wellFormed(() => open(token));
  } catch (why) {
    throw why instanceof Unopened ? new Rejected({ is: "untrusted", what: why.what }) : why;
  }
}

function signature(of: Expected, keys: KeySet, token: string): Payload {
  try {
    return wellFormed(() => verify(keys, of.algorithms, token));
  } catch (why) {
    if (!(why instanceof Refused)) throw why;
    throw why.what === "key"
      ? ofNoKey(of, token)
      : new Rejected({ is: "untrusted", what: why.what });
  }
}

/**
 * What is said of a token whose key is not there: what is known against the key, for as long as it is. So whoever holds a
 * token of a key that was withdrawn hears to renew it, before and after the key is gone from here.
 */
function ofNoKey({ mirror }: Expected, token: string): Rejected {
  const kid = keyIdOf(headerOf(split(token).header).kid ?? "");
  const judged = kid && mirror.judgeKey(kid);
  if (!judged) return new Rejected({ is: "unverifiable", what: "key" });
  return new Rejected(
    judged.effect === "stale" ? { is: "stale" } : { is: "revoked", ended: judged.reason },
  );
}

/** The bytes of a key's name as our authority writes it: 16 characters of base64url. */
function keyIdOf(kid: string): Buffer | undefined {
  const bytes = Buffer.from(kid, "base64url");
  return bytes.length === 12 && bytes.toString("base64url") === kid ? bytes : undefined;
}
