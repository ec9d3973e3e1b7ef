/** The proof of the key that a token is bound to, at every request (DPoP, RFC 9449 §4.3, §7). */

import { createHash, createHmac, timingSafeEqual, type JsonWebKey } from "node:crypto";
import { decode, decodeExact, utf8 } from "./base64url.js";
import { instant } from "./claims.js";
import * as json from "./json.js";
import { publicKeyOf } from "./jwk.js";
import { check, FOREIGN, headerMembers, Refused, split } from "./jws.js";
import { Malformed } from "./malformed.js";
import type { Now } from "./now.js";
import type { Presented } from "./presented.js";
import { Rejected } from "./rejected.js";
import type { TargetKey } from "./target.js";
import { urlOf } from "./url.js";

/** The longest proof that is looked at, in characters. Inclusive. */
export const PROOF_MAX = 8 * 1024;

/** The longest `jti` and the longest `nonce` of a proof, in bytes. Inclusive. */
const NAME_BYTES_MAX = 256;

/** The longest RSA modulus of a proof's key, in characters of base64url: a stranger chooses it. Inclusive: 4096 bits. */
const RSA_MAX = Math.ceil((512 * 8) / 6);

/** How long after it was made, and how far ahead of this clock, a proof without a nonce is good. Inclusive. */
const AGE_MS_MAX = 60_000;
const AHEAD_MS_MAX = 10_000;

/** How long each nonce is handed out; it is accepted for twice that. */
const NONCE_SPAN_MS = 60_000;

/** How many proofs are remembered at most, so that none is used twice. Inclusive. */
export const PROOFS_MAX = 1 << 20;

/** What a proof says, whose signature is by the key that it brings. */
interface Proof {
  /** The thumbprint of that key (RFC 7638). */
  readonly jkt: string;
  /** Its name among all: digested together with its key, so that nobody can use up another's names. */
  readonly name: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  readonly ath: string | undefined;
  readonly nonce: string | undefined;
}

/** Makes and recognises nonces: derived from the time, the same at every verifier that has the secret (RFC 9449 §9). */
export interface Nonces {
  current(wall: number): string;
  isOurs(nonce: string, wall: number): boolean;
}

/** Nonces under a secret that several processes share. */
export function noncesOf(secret: Buffer): Nonces {
  const mac = (span: number): Buffer => {
    const text = Buffer.alloc(12);
    text.writeBigUInt64BE(BigInt(Math.max(span, 0)), 4);
    return createHmac("sha256", secret).update(text).digest().subarray(0, 16);
  };
  const spanOf = (wall: number) => Math.floor(wall / NONCE_SPAN_MS);
  return {
    current: (wall) => mac(spanOf(wall)).toString("base64url"),
    isOurs(nonce, wall) {
      const shown = Buffer.from(nonce, "base64url");
      if (shown.length !== 16 || shown.toString("base64url") !== nonce) return false;
      return [spanOf(wall), spanOf(wall) - 1].some((span) => timingSafeEqual(mac(span), shown));
    },
  };
}

/** The nonces of all who follow one feed. */
export const noncesOfFeed = ({ key }: TargetKey): Nonces =>
  noncesOf(createHmac("sha256", key).update("dpop nonces").digest());

/** Checks proofs, and remembers those that were used. */
export class Proofs {
  private readonly used = new Used();

  constructor(
    private readonly publicUrl: string | undefined,
    private readonly nonces: () => Nonces | undefined,
  ) {}

  /**
   * Checks what was shown for a token that is bound to a key of this thumbprint, or to none. Answers the proof's name, which
   * `spend` uses up once the request is let in.
   */
  check(presented: Presented, jkt: string | undefined, now: Now): string | undefined {
    if (jkt === undefined && presented.scheme === "Bearer") return undefined;
    // RFC 9449 §7.2: what is bound is no bearer token, and what is a bearer token is not bound.
    if (jkt === undefined || presented.scheme === "Bearer") throw new Rejected({ is: "binding" });
    const url = this.addressed(presented);
    const nonces = this.nonces();
    const bad = (why: string, cured = false) =>
      new Rejected({ is: "proof", why, nonce: cured ? nonces?.current(now.wall) : undefined });
    if (presented.proof === undefined) throw bad("the one header `DPoP` with a proof is missing");
    const proof = opened(presented.proof, bad);
    if (proof.htm !== presented.method) throw bad("the proof is for another method (`htm`)");
    if (proof.htu !== url) throw bad("the proof is for another URL (`htu`)");
    // Without nonces of our own, another's that an impartial client repeats proves nothing, and harms nothing.
    if (nonces && proof.nonce !== undefined) {
      if (!nonces.isOurs(proof.nonce, now.wall))
        throw bad("the proof must repeat the nonce of the header `DPoP-Nonce`", true);
    } else if (!isTimely(proof.iat * 1000, now.wall))
      throw bad("the proof is dated too far from this clock; repeat the nonce instead", true);
    if (proof.ath !== hash(presented.token))
      throw bad("the proof is not for this access token (`ath`)");
    if (proof.jkt !== jkt) throw new Rejected({ is: "binding" });
    return proof.name;
  }

  /** Uses a proof up. */
  spend(name: string | undefined, now: Now): void {
    if (name !== undefined) this.used.add(name, now.monotonic);
  }

  private addressed({ method, url }: Presented): string {
    const whole = url?.startsWith("/")
      ? this.publicUrl && this.publicUrl.replace(/\/+$/, "") + url
      : url;
    const read = whole && method ? urlOf(whole) : undefined;
    if (read === undefined) throw new Rejected({ is: "unverifiable", what: "url" });
    return read;
  }
}

const isTimely = (madeAt: number, wall: number): boolean =>
  madeAt - wall <= AHEAD_MS_MAX && wall - madeAt <= AGE_MS_MAX;

const hash = (text: string): string => createHash("sha256").update(text).digest("base64url");

function opened(text: string, bad: (why: string) => Rejected): Proof {
  try {
    return open(text);
  } catch (why) {
    if (why instanceof Malformed || why instanceof Refused)
      throw bad(`the header \`DPoP\` is no proof: ${why.message}`);
    throw why;
  }
}

/** Checks the form of a proof, and its signature by the key that it brings (RFC 9449 §4.3, points 2 to 7). */
function open(text: string): Proof {
  if (text.length > PROOF_MAX) throw new Malformed("proof", "is longer than 8 KiB");
  const parts = split(text);
  const header = headerMembers(parts.header, FOREIGN);
  if (json.requiredString(header, "typ") !== "dpop+jwt")
    throw new Malformed("typ", "must be dpop+jwt");
  const jwk = JSON.parse(json.required(header, "jwk")) as JsonWebKey;
  const key = publicKeyOf(jwk);
  if (jwk.n && jwk.n.length > RSA_MAX) throw new Malformed("n", "is longer than 4096 bits");
  if (json.requiredString(header, "alg") !== key.alg) throw new Refused("algorithm");
  check(key, parts);
  const claims = json.members(utf8(decode(parts.payload, "payload"), "claims"), "claims");
  const jkt = hash(key.identity!);
  const htm = json.requiredString(claims, "htm");
  const htu = urlOf(json.requiredString(claims, "htu"));
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(htm)) throw new Malformed("htm", "is not a method");
  if (htu === undefined) throw new Malformed("htu", "is not a URL of http or https");
  const [ath, nonce] = [json.optionalString(claims, "ath"), claims.get("nonce")];
  if (ath !== undefined) decodeExact(ath, 32, "ath");
  return {
    jkt,
    name: hash(jkt + short(json.required(claims, "jti"), "jti")),
    htm,
    htu,
    iat: instant(json.required(claims, "iat"), "iat"),
    ath,
    nonce: nonce === undefined ? undefined : short(nonce, "nonce"),
  };
}

function short(raw: string, member: string): string {
  const text = json.string(raw, member);
  if (text === "" || Buffer.byteLength(text) > NAME_BYTES_MAX)
    throw new Malformed(member, "is empty or too long");
  return text;
}

/** How long one set is filled before the next, and how many hold every proof for as long as it could be good. */
const FILLED_MS = NONCE_SPAN_MS;
const SETS = 3;

/** The proofs that were used lately. */
class Used {
  private turn = 0;
  private readonly sets = Array.from({ length: SETS }, () => new Set<string>());

  add(name: string, monotonic: number): void {
    this.turnTo(Math.floor(monotonic / FILLED_MS));
    if (this.sets.some((set) => set.has(name)))
      throw new Rejected({
        is: "proof",
        why: "the proof was used before; make a new one for each request",
        nonce: undefined,
      });
    if (this.sets.reduce((sum, set) => sum + set.size, 0) >= PROOFS_MAX)
      throw new Rejected({ is: "unverifiable", what: "proofs" });
    this.sets[this.turn % SETS]!.add(name);
  }

  /** Empties the sets whose time has passed. A clock that goes back empties none. */
  private turnTo(turn: number): void {
    for (let past = Math.max(this.turn + 1, turn - SETS + 1); past <= turn; past += 1)
      this.sets[past % SETS]!.clear();
    this.turn = Math.max(this.turn, turn);
  }
}
