/**
 * JSON Web Signatures in their compact form (RFC 7515 §3.1, §5.2, §7.1).
 *
 * Nothing of a header is obeyed: `alg` is compared, `kid` only picks among keys that are trusted already, and a header that
 * would bring a key, or change what is signed, is refused (RFC 8725 §3.1, §3.10).
 */

import { typeOf, type Algorithm, type TokenType } from "./alg.js";
import { decode, utf8 } from "./base64url.js";
import * as json from "./json.js";
import { KID_BYTES_MAX, type KeySet, type VerifyingKey } from "./jwk.js";
import { Malformed } from "./malformed.js";

/** The longest token that is looked at, in characters. Inclusive. */
export const TOKEN_MAX = 16 * 1024;

/** The longest header segment that is parsed, in characters: it is parsed before anything is verified. Inclusive. */
export const HEADER_MAX = 2048;

/** The longest signature, in characters: RSA's is as long as its modulus. Inclusive. */
const SIGNATURE_MAX = Math.ceil((1024 * 8) / 6);

/** Why a token that can be read is refused: its `alg`, its `kid`, its signature. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(readonly what: "algorithm" | "key" | "signature") {
    super(REFUSED[what]);
  }
}

const REFUSED = {
  algorithm: "alg: is not the algorithm that is expected",
  key: "kid: names no key of the set",
  signature: "signature: does not verify",
} as const;

/** A payload whose signature was verified: holding one is the proof. */
export interface Payload {
  readonly bytes: Buffer;
  /** What the token declares itself to be; nothing, if it says nothing that we issue. */
  readonly typ: TokenType | undefined;
  readonly key: VerifyingKey;
}

/** Verifies a token; `algs` are those that the caller pins. */
export function verify(keys: KeySet, algs: readonly Algorithm[], token: string): Payload {
  const parts = split(token);
  const [key, typ] = keys.known(parts.header) ?? find(keys, parts.header);
  if (!algs.includes(key.alg)) throw new Refused("algorithm");
  check(key, parts);
  return { bytes: decode(parts.payload, "payload"), typ, key };
}

/**
 * Verifies what was signed as exactly this type, under whichever published key it names; a shared secret vouches for
 * nothing here.
 */
export function verifyAs(keys: KeySet, typ: string, text: string): Buffer {
  const parts = split(text);
  const header = headerOf(parts.header);
  const key = keys.select(header.kid);
  if (!key) throw new Refused("key");
  if (header.alg !== key.alg || key.alg === "HS256") throw new Refused("algorithm");
  if (header.typ !== typ) throw new Malformed("typ", "is not the expected one");
  check(key, parts);
  return decode(parts.payload, "payload");
}

/** The three segments of a token, and what its signature is over. */
export interface Parts {
  readonly signed: string;
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** Finds exactly two dots. */
export function split(token: string): Parts {
  if (token.length > TOKEN_MAX) throw new Malformed("token", "is longer than 16 KiB");
  const [header, payload, signature, more] = token.split(".", 4);
  if (header === undefined || payload === undefined || signature === undefined)
    throw new Malformed("token", "does not have three segments");
  // Five segments are a JWE: encrypted is not signed (advisory CVE-2026-29000).
  if (more !== undefined) throw new Malformed("token", "has more than three segments");
  return { signed: `${header}.${payload}`, header, payload, signature };
}

/** Whether it has the five segments of an encrypted token (RFC 7516 §7.1). */
export const isEncrypted = (token: string): boolean => token.split(".", 6).length === 5;

/** Checks the signature of these parts. */
export function check(key: VerifyingKey, { signed, signature }: Parts): void {
  if (signature.length > SIGNATURE_MAX) throw new Malformed("signature", "is too long");
  if (!key.check(Buffer.from(signed), decode(signature, "signature")))
    throw new Refused("signature");
}

/** What a header says. */
export interface Header {
  readonly alg: string;
  readonly typ: string | undefined;
  readonly kid: string | undefined;
}

/** Reads a header that we did not write. */
export function headerOf(segment: string): Header {
  const header = headerMembers(segment, { ...FOREIGN, jwk: BRINGS });
  const kid = json.optionalString(header, "kid");
  if (kid !== undefined && Buffer.byteLength(kid) > KID_BYTES_MAX)
    throw new Malformed("kid", "is too long");
  return { alg: json.requiredString(header, "alg"), typ: json.optionalString(header, "typ"), kid };
}

/** The members of a header, without any that is named here. All others are ignored, as RFC 7515 §4 demands. */
export function headerMembers(
  segment: string,
  refused: Readonly<Record<string, string>>,
): json.Members {
  if (segment.length > HEADER_MAX) throw new Malformed("header", "is too long");
  const header = json.members(utf8(decode(segment, "header"), "header"), "header");
  for (const [name, why] of Object.entries(refused))
    if (header.has(name)) throw new Malformed(name, why);
  return header;
}

/** Why a header may not have a key of its own (RFC 8725 §3.10). */
export const BRINGS = "would bring a key with the token";

/** The members that would bring a key or change the meaning of the rest. */
export const FOREIGN: Readonly<Record<string, string>> = {
  crit: "is not understood",
  b64: "is not understood",
  jku: BRINGS,
  x5u: BRINGS,
  x5c: BRINGS,
  enc: "belongs to an encrypted token",
  zip: "belongs to an encrypted token",
};

function find(keys: KeySet, segment: string): readonly [VerifyingKey, TokenType | undefined] {
  const header = headerOf(segment);
  const key = keys.select(header.kid);
  if (!key) throw new Refused("key");
  if (header.alg !== key.alg) throw new Refused("algorithm");
  return [key, typeOf(header.typ)];
}
