/** The signature algorithms and token types that exist here, and no others. */

/**
 * A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). It is fixed to a key and pinned by the caller; a token's `alg` is
 * compared with it, never obeyed (RFC 8725 §3.1). There is no `none`.
 */
export type Algorithm = "EdDSA" | "ES256" | "RS256" | "HS256";

/** Every algorithm, the default first. */
export const ALGORITHMS: readonly Algorithm[] = ["EdDSA", "ES256", "RS256", "HS256"];

/** What a token declares itself to be in `typ` (RFC 7515 §4.1.9, RFC 8725 §3.11). */
export type TokenType = "at+jwt" | "JWT";

/** Every type, the default first. */
export const TOKEN_TYPES: readonly TokenType[] = ["at+jwt", "JWT"];

/** The type of that name: a media type, so case does not count and `application/` may lead. */
export function typeOf(name: string | undefined): TokenType | undefined {
  const short = name?.replace(/^application\//i, "").toLowerCase();
  return TOKEN_TYPES.find((typ) => typ.toLowerCase() === short);
}
