/** What a request showed to be let in. */

import { Rejected } from "./rejected.js";

/** What a request showed. A bearer token needs nothing beside it; a bound one needs its request and its proof (RFC 9449 §7). */
export interface Presented {
  /** The access token. */
  readonly token: string;
  /** As what it was shown (RFC 6750 §2.1, RFC 9449 §7.1). */
  readonly scheme: "Bearer" | "DPoP";
  /** The method of the request. */
  readonly method?: string | undefined;
  /**
   * Its URL, or its path below `publicUrl`. A whole URL is compared as it is given here, so it must not be made of what the
   * caller wrote into `Host` or `X-Forwarded-*`.
   */
  readonly url?: string | undefined;
  /** The value of its one `DPoP` header; of several, none. */
  readonly proof?: string | undefined;
  /**
   * What the client says of itself: the value of its one `X-Symbolon-Features` header, `null` if there is none or there are
   * several. Left out, nobody has looked, and no token that is bound to features is let in.
   */
  readonly features?: string | null | undefined;
  /**
   * The address that the request came from: that of the connection or, behind a proxy that you run, what that proxy says. The
   * rest of `X-Forwarded-For` was written by the caller. Left out, no token that is bound to a network is let in.
   */
  readonly ip?: string | undefined;
}

/** A token that came as `Authorization: Bearer …`. */
export const bearer = (token: string): Presented => ({ token, scheme: "Bearer" });

/**
 * Reads the value of the one `Authorization` header of a request. Do not take a token from the URL, where logs and `Referer`
 * repeat it (RFC 9700 §4.3.2), and refuse a request with several such headers yourself.
 */
export function presentedOf(authorization: string | undefined): Presented {
  // By hand: an expression for "then spaces, to the end" looks at each space of a long line once for every other.
  const text = authorization ?? "";
  const end = text.indexOf(" ");
  const [name, token] = end < 0 ? ["", ""] : [text.slice(0, end), text.slice(end).trim()];
  const scheme = SCHEMES.find((scheme) => scheme.toLowerCase() === name.toLowerCase());
  if (!scheme || token === "") throw new Rejected({ is: "missing" });
  return { token, scheme };
}

const SCHEMES = ["Bearer", "DPoP"] as const;

/** A request without its body. */
export interface Asked {
  readonly method: string | undefined;
  /** What stands in its first line; of it the path alone counts, since the caller writes the rest. */
  readonly target: string | undefined;
  /** All values of the header `Authorization`, of `DPoP`, and of `X-Symbolon-Features`. */
  readonly authorization: readonly string[];
  readonly dpop: readonly string[];
  readonly features: readonly string[];
  readonly ip: string | undefined;
}

/** How a guard is told what it cannot see by itself. */
export interface Sees<Request> {
  /**
   * Where a request comes from, for tokens that are bound to a network. Say the address of the connection
   * (`request.socket.remoteAddress`) or, where that is a proxy of yours, what it added to `X-Forwarded-For` last.
   */
  ipFrom?(request: Request): string | undefined;
}

/** What a request shows: the token of its one `Authorization` header, and from nowhere else. */
export function presentedBy(asked: Asked): Presented {
  const { method, target, authorization, dpop, ip } = asked;
  if (authorization.length > 1) throw new Rejected({ is: "missing" });
  const proof = dpop.length === 1 ? dpop[0] : undefined;
  const features = asked.features.length === 1 ? asked.features[0] : null;
  const url = pathOf(target ?? "");
  return { ...presentedOf(authorization[0]), method, url, proof, features, ip };
}

/** The name of the header in which a client says its features. */
export const FEATURES_HEADER = "x-symbolon-features";

/** The path of an origin-form or an absolute-form request target (RFC 9112 §3.2). */
function pathOf(target: string): string | undefined {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
  return path === "" && target !== "" ? "/" : path.startsWith("/") ? path : undefined;
}
