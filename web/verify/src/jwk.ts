/** Sets of keys that verify (RFC 7517 §5, RFC 7518 §6, RFC 8037 §2). */

import {
  createHmac,
  createPublicKey,
  createSecretKey,
  timingSafeEqual,
  verify,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { ALGORITHMS, TOKEN_TYPES, type Algorithm, type TokenType } from "./alg.js";
import { decode, decodeExact } from "./base64url.js";
import * as json from "./json.js";
import { isRoca, isSmallOrder } from "./weak.js";
import { Malformed } from "./malformed.js";

/** The longest text of a set that is read, in characters. Inclusive. */
export const KEY_SET_MAX = 64 * 1024;

/** How many keys a set may have, those that are passed over included. Inclusive. */
export const KEYS_MAX = 64;

/** Longest `kid` that is read, in bytes. Inclusive. */
export const KID_BYTES_MAX = 255;

/** A key that verifies tokens of one algorithm. */
export interface VerifyingKey {
  readonly kid: string | undefined;
  readonly alg: Algorithm;
  /** What tells it from other public keys; a secret has none. */
  readonly identity: string | undefined;
  /** Checks a signature, or a MAC in constant time. */
  check(signed: Buffer, signature: Buffer): boolean;
}

/** Keys that verify, all symmetric or all asymmetric, no two of one name. */
export interface KeySet {
  readonly keys: readonly VerifyingKey[];
  /** The key that a header names; without a name, the only key there is. */
  select(kid: string | undefined): VerifyingKey | undefined;
  /** The key and the type of a header segment that our authority wrote, found by comparison. */
  known(segment: string): readonly [VerifyingKey, TokenType] | undefined;
}

/**
 * Reads a JWK Set. Keys of an unknown `kty` are passed over, as RFC 7517 §5 asks; a key of a known kind that cannot be used is
 * refused, and so is a set that leaves no key.
 */
export function parseKeySet(text: string): KeySet {
  if (text.length > KEY_SET_MAX) throw new Malformed("keys", "is longer than 64 KiB");
  // Read strictly as a whole first: after that, what `JSON.parse` sees is all there is.
  const listed: unknown = JSON.parse(json.required(json.members(text, "keys"), "keys"));
  if (!Array.isArray(listed)) throw new Malformed("keys", "must be an array");
  if (listed.length > KEYS_MAX) throw new Malformed("keys", "has more than 64 keys");
  return keySetOf(listed.flatMap((key: unknown, at) => within(`keys[${at}]`, () => read(key))));
}

/** A set of keys that are already read. */
export function keySetOf(keys: readonly VerifyingKey[]): KeySet {
  const secrets = keys.filter((key) => key.alg === "HS256").length;
  if (!keys.length) throw new Malformed("keys", "has no key that we can use");
  // RFC 8725 §3.1: the shape of set that lets a public key be taken for a MAC key.
  if (secrets && secrets < keys.length)
    throw new Malformed("keys", "mixes symmetric and asymmetric keys");
  const byKid = new Map(keys.flatMap((key) => (key.kid === undefined ? [] : [[key.kid, key]])));
  if (byKid.size < keys.filter((key) => key.kid !== undefined).length)
    throw new Malformed("kid", "names two keys");
  const headers = new Map(
    [...byKid.values()].flatMap((key) =>
      TOKEN_TYPES.map((typ) => [headerOf(key, typ), [key, typ]] as const),
    ),
  );
  return {
    keys,
    select: (kid) =>
      kid === undefined ? (keys.length === 1 ? keys[0] : undefined) : byKid.get(kid),
    known: (segment) => headers.get(segment),
  };
}

/**
 * Whether all that verifies under `other` verifies under `own`: no key of it is missing, renamed or another. Secrets are not
 * looked at; nor does a set of several keys cover one alone, which also verifies what names no key.
 */
export function covers(own: KeySet, other: KeySet): boolean {
  const same = (a: VerifyingKey) =>
    own.keys.some((b) => a.identity !== undefined && a.kid === b.kid && a.identity === b.identity);
  return (own.keys.length === 1) === (other.keys.length === 1) && other.keys.every(same);
}

/** A public key on its own, as a proof brings it. */
export function publicKeyOf(jwk: unknown): VerifyingKey {
  const [key] = read(jwk);
  if (!key || key.alg === "HS256") throw new Malformed("kty", "must be OKP, EC or RSA");
  return key;
}

/** The members that make a key, in the order of RFC 7638 §3.3, without white space. */
export const bareJson = (jwk: JsonWebKey): string =>
  JSON.stringify(Object.fromEntries(Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1))));

const headerOf = ({ alg, kid }: VerifyingKey, typ: TokenType): string =>
  Buffer.from(JSON.stringify({ alg, typ, kid })).toString("base64url");

type Fields = Readonly<Record<string, unknown>>;

function read(jwk: unknown): VerifyingKey[] {
  if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk))
    throw new Malformed("key", "is not an object");
  const fields = jwk as Fields;
  const material = KINDS[text(fields, "kty")];
  if (!material) return [];
  const [alg, check, bare] = material(fields);
  checkPurpose(fields, alg);
  const kid = fields["kid"] === undefined ? undefined : text(fields, "kid");
  if (kid === "" || (kid && Buffer.byteLength(kid) > KID_BYTES_MAX))
    throw new Malformed("kid", "is empty or too long");
  return [{ kid, alg, check, identity: bare && bareJson(bare) }];
}

type Check = VerifyingKey["check"];
type Material = readonly [Algorithm, Check, JsonWebKey?];

const KINDS: Readonly<Record<string, (fields: Fields) => Material>> = Object.assign(
  Object.create(null) as object,
  { OKP: okp, EC: ec, RSA: rsa, oct },
);

function okp(fields: Fields): Material {
  noPrivatePart(fields);
  if (text(fields, "crv") !== "Ed25519") throw new Malformed("crv", "must be Ed25519");
  const x = text(fields, "x");
  if (isSmallOrder(decodeExact(x, 32, "x"))) throw new Malformed("x", "is of small order");
  const bare = { crv: "Ed25519", kty: "OKP", x };
  const key = imported(bare);
  return ["EdDSA", (signed, mac) => mac.length === 64 && verify(null, signed, key, mac), bare];
}

function ec(fields: Fields): Material {
  noPrivatePart(fields);
  if (text(fields, "crv") !== "P-256") throw new Malformed("crv", "must be P-256");
  const [x, y] = [text(fields, "x"), text(fields, "y")];
  decodeExact(x, 32, "x");
  decodeExact(y, 32, "y");
  const bare = { crv: "P-256", kty: "EC", x, y };
  const key = { key: imported(bare), dsaEncoding: "ieee-p1363" } as const;
  return ["ES256", (signed, mac) => mac.length === 64 && verify("sha256", signed, key, mac), bare];
}

function rsa(fields: Fields): Material {
  noPrivatePart(fields);
  const [n, e] = [text(fields, "n"), text(fields, "e")];
  const modulus = decode(n, "n");
  checkModulus(modulus);
  checkExponent(decode(e, "e"));
  const bare = { e, kty: "RSA", n };
  const key = imported(bare);
  const check: Check = (signed, mac) =>
    mac.length === modulus.length && verify("sha256", signed, key, mac);
  return ["RS256", check, bare];
}

function oct(fields: Fields): Material {
  const secret = decode(text(fields, "k"), "k");
  if (secret.length < 32 || secret.length > 512)
    throw new Malformed("k", "is not of 32 to 512 bytes (RFC 7518 §3.2)");
  const key = createSecretKey(secret);
  const check: Check = (signed, mac) =>
    mac.length === 32 && timingSafeEqual(createHmac("sha256", key).update(signed).digest(), mac);
  return ["HS256", check];
}

/** A private member in a key that is to be public means that a secret has leaked: refuse loudly. */
function noPrivatePart(fields: Fields): void {
  for (const name of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
    if (name in fields) throw new Malformed(name, "is a private member in a public key");
}

/** The key must be for verifying signatures of exactly this algorithm (RFC 7517 §4.2–4.4). */
function checkPurpose(fields: Fields, alg: Algorithm): void {
  if (fields["use"] !== undefined && fields["use"] !== "sig")
    throw new Malformed("use", 'must be "sig"');
  if (fields["alg"] !== undefined && fields["alg"] !== alg)
    throw new Malformed("alg", "is not the algorithm of this kind of key");
  const operations = fields["key_ops"];
  if (operations === undefined) return;
  const listed: readonly unknown[] = Array.isArray(operations) ? operations : [];
  const known = listed.every((one) => one === "verify" || one === "sign");
  if (!known || !listed.includes("verify") || new Set(listed).size !== listed.length)
    throw new Malformed("key_ops", "is not for verifying");
}

function checkModulus(n: Buffer): void {
  const refuse = (why: string) => new Malformed("n", why);
  const [first, last] = [n.at(0), n.at(-1)];
  if (!first || last === undefined) throw refuse("is empty or has leading zeros");
  if (last % 2 === 0) throw refuse("is even");
  const bits = n.length * 8 - Math.clz32(first) + 24;
  if (bits < 2048 || 8192 < bits) throw refuse("is not of 2048 to 8192 bits (RFC 7518 §3.3)");
  if (isRoca(n)) throw refuse("is of the factorable kind, ROCA");
}

/** Odd, at least 3, and short: a long exponent is a way to burn a verifier's time. */
function checkExponent(e: Buffer): void {
  const small = e.length === 0 || e.length > 4 || e[0] === 0 || (e.length === 1 && e[0] === 1);
  if (small || e.at(-1)! % 2 === 0)
    throw new Malformed("e", "is not an odd number from 3 to 32 bits");
}

function imported(jwk: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: "jwk" });
  } catch {
    throw new Malformed("key", "is not a point of its curve, or no key at all");
  }
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string")
    throw new Malformed(name, value === undefined ? "is missing" : "must be a string");
  return value;
}

function within<T>(place: string, run: () => T): T {
  try {
    return run();
  } catch (wrong) {
    if (wrong instanceof Malformed) throw new Malformed(`${place}.${wrong.member}`, wrong.why);
    throw wrong;
  }
}

/** The algorithm of that exact name; names are case-sensitive (RFC 7515 §4.1.1). */
export const algorithmOf = (name: string): Algorithm | undefined =>
  ALGORITHMS.find((alg) => alg === name);
