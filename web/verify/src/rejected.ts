/** Why a request is not let in, and how to tell it (RFC 6750 §3). */

import type { Reason } from "./reason.js";

/** What is wrong with a token that is not trusted. */
const DISTRUST = {
  algorithm: "the token's algorithm is not the expected one",
  key: "the token is signed by no key of the issuer",
  signature: "the token's signature does not verify",
  type: "the token is not of the expected type",
  issuer: "the token is another issuer's",
  audience: "the token is for another audience",
  not_yet: "the token is dated ahead of this clock",
  encryption: "the token is encrypted, and no key that is here opens it",
  not_encrypted: "the token is not encrypted, and only encrypted ones are taken",
} as const;

/** What is not known. */
const UNKNOWN = {
  keys: "the issuer's keys are not known yet",
  key: "the token's key is not known, and may be new",
  session: "the authority could not be asked whether the session lives",
  opaque: "the token is opaque, and this verifier has nobody to ask about it",
  url: "the verifier does not know for which method and URL a proof must be; `publicUrl` says where the service is reached",
  proofs: "more proofs were used lately than are remembered",
  features:
    "the token is bound to features, and the verifier was not told those of the request; `features` of what is presented takes the header `X-Symbolon-Features`",
  address:
    "the token is bound to a network, and the verifier was not told where the request comes from; `ip` of what is presented says it, and `ipFrom` of a guard",
} as const;

/** What is wrong with a token that is not trusted. */
export type Distrust = keyof typeof DISTRUST;

/** What is not known. */
export type Unknown = keyof typeof UNKNOWN;

/** Why a request is not let in. */
export type Refusal =
  /** No token was presented. */
  | { readonly is: "missing" }
  /** What was presented is not an access token: perhaps a refresh token, which is none. */
  | { readonly is: "malformed"; readonly why: string }
  /** It is a token, but not one that this verifier trusts. */
  | { readonly is: "untrusted"; readonly what: Distrust }
  /** Its life is over: renew it. */
  | { readonly is: "expired" }
  /** It is for one use, and was used: renew it; nobody is logged out. */
  | { readonly is: "used" }
  /** What it says has changed since: renew it; nobody is logged out. */
  | { readonly is: "stale" }
  /** Its session is over: sign in again. Introspection does not tell why. */
  | { readonly is: "revoked"; readonly ended: Reason | undefined }
  /** It may be good, but it cannot be known now. */
  | { readonly is: "unverifiable"; readonly what: Unknown }
  /** It is bound to a key, and came as a bearer token or with a good proof of another key; or it came as bound, and is not. */
  | { readonly is: "binding" }
  /** It is bound to features or a network, and came with others: sign in again. */
  | { readonly is: "elsewhere" }
  /** It is bound to a key, and the proof beside it must be made anew; with this nonce, if there is one. */
  | { readonly is: "proof"; readonly why: string; readonly nonce: string | undefined }
  /** It is good, and does not suffice here: 403, not 401. */
  | { readonly is: "insufficient_scope"; readonly needed: string }
  /** It is good, and the person must be authenticated anew, or more strongly (RFC 9470). */
  | {
      readonly is: "insufficient_user_authentication";
      readonly max_age: number | undefined;
      readonly acr: string;
    }
  /** The authority must be asked. Answer of a synchronous check alone; `admit` asks, and whoever cannot ask refuses. */
  | { readonly is: "ask" };

/**
 * A request is not let in: `status`, `challenge` and `dpopNonce` are what to answer. The message and `refusal` are for a log;
 * they hold nothing of the token, and the challenge does not repeat them.
 */
export class Rejected extends Error {
  override readonly name = "Rejected";

  constructor(readonly refusal: Refusal) {
    super(sentenceOf(refusal));
  }

  /** The status to answer with: 403 if the token is good but does not suffice, else 401. */
  get status(): 401 | 403 {
    return this.refusal.is === "insufficient_scope" ? 403 : 401;
  }

  /** The word that tells a client what to do; none if there was no token, or it only lacks rights or an authentication. */
  get reason(): string | undefined {
    const { is } = this.refusal;
    switch (is) {
      case "ask":
        return "unverifiable";
      case "elsewhere":
        return "binding";
      case "missing":
      case "insufficient_scope":
      case "insufficient_user_authentication":
        return undefined;
      default:
        return is;
    }
  }

  /** Why the session ended, where that is known. */
  get ended(): Reason | undefined {
    return this.refusal.is === "revoked" ? this.refusal.ended : undefined;
  }

  /** The value of `DPoP-Nonce`, where the next proof must repeat one (RFC 9449 §9). */
  get dpopNonce(): string | undefined {
    return this.refusal.is === "proof" ? this.refusal.nonce : undefined;
  }

  /** The value of `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3). */
  get challenge(): string {
    const { refusal, reason } = this;
    switch (refusal.is) {
      case "insufficient_scope":
        return `Bearer error="insufficient_scope"${quoted("scope", refusal.needed)}`;
      case "insufficient_user_authentication": {
        const age = refusal.max_age === undefined ? "" : quoted("max_age", `${refusal.max_age}`);
        return `Bearer error="${refusal.is}"${age}${quoted("acr_values", refusal.acr)}`;
      }
      case "revoked":
        return `${INVALID}, reason="revoked"${quoted("ended", refusal.ended ?? "")}`;
      case "binding":
        return `DPoP error="invalid_token", reason="binding", ${ALGS}`;
      case "proof": {
        const error = refusal.nonce === undefined ? "invalid_dpop_proof" : "use_dpop_nonce";
        return `DPoP error="${error}", reason="proof", ${ALGS}`;
      }
      // RFC 6750 §3.1: whoever sent no token is told no error.
      case "missing":
        return "Bearer";
      default:
        return `${INVALID}, reason="${reason}"`;
    }
  }
}

const INVALID = 'Bearer error="invalid_token"';

/** What proofs may be signed with (RFC 9449 §7.1). */
const ALGS = 'algs="EdDSA ES256 RS256"';

/** Words stand in a quoted string as they are, or not at all: one that is no scope would break the header (RFC 6749 §3.3). */
const quoted = (name: string, words: string): string =>
  /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(words) ? `, ${name}="${words}"` : "";

function sentenceOf(refusal: Refusal): string {
  switch (refusal.is) {
    case "missing":
      return "no access token was presented";
    case "malformed":
      return `this is not an access token: ${refusal.why}`;
    case "untrusted":
      return DISTRUST[refusal.what];
    case "expired":
      return "the token has expired";
    case "used":
      return "the token was good for one request, which it has let in";
    case "elsewhere":
      return "the token is bound to other features or another network";
    case "stale":
      return "the token must be renewed";
    case "revoked":
      return `the session is over${refusal.ended ? `: ${refusal.ended}` : ""}`;
    case "unverifiable":
      return UNKNOWN[refusal.what];
    case "binding":
      return "the token is not bound to a key that was proved";
    case "proof":
      return refusal.why;
    case "insufficient_scope":
      return "the token does not suffice here";
    case "insufficient_user_authentication":
      return "the person must be authenticated anew, or more strongly";
    case "ask":
      return "the authority must be asked about the token";
  }
}
