/**
 * Base64url without padding, in its one canonical spelling (RFC 7515 §2, RFC 4648 §3.5 and §5).
 *
 * Two texts that decode to the same bytes would be two names for one token, so unused bits, padding, white space and the
 * other alphabet are refused.
 */

import { Malformed } from "./malformed.js";

/** The bytes of a text. */
export function decode(text: string, member: string): Buffer {
  const bytes = Buffer.from(text, "base64url");
  // Node passes over what it does not know: whoever writes the same bytes again sees whether there was any.
  if (bytes.toString("base64url") !== text)
    throw new Malformed(member, "is not canonical base64url without padding");
  return bytes;
}

/** Exactly so many bytes. */
export function decodeExact(text: string, length: number, member: string): Buffer {
  const bytes = decode(text, member);
  if (bytes.length !== length) throw new Malformed(member, "has the wrong length");
  return bytes;
}

/** The text of bytes. */
export const encode = (bytes: Buffer): string => bytes.toString("base64url");

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that must be UTF-8 (RFC 8725 §3.7). */
export function utf8(bytes: Uint8Array, what: string): string {
  try {
    return strict.decode(bytes);
  } catch {
    throw new Malformed(what, "is not UTF-8");
  }
}
