/**
 * Checks access tokens of Symbolon in Node: locally, and knows within milliseconds which sessions ended.
 *
 * @packageDocumentation
 */

export type { Algorithm, TokenType } from "./alg.js";
export { scopesOf, type Claims, type Ver } from "./claims.js";
export type { Mode } from "./feed.js";
export { FetchError } from "./http.js";
export { Malformed } from "./malformed.js";
export { admittedOf, presentedIn } from "./node.js";
export { readNow, type Now } from "./now.js";
export type { FeedOptions, Options } from "./options.js";
export { bounded, offline, strict, type Asks, type Policy, type Staleness } from "./policy.js";
export { bearer, presentedOf, type Presented, type Sees } from "./presented.js";
export { REASONS, type Reason } from "./reason.js";
export { Rejected, type Distrust, type Refusal, type Unknown } from "./rejected.js";
export type { Ended } from "./sessions.js";
export {
  connect,
  createVerifier,
  type Redeemed,
  type Status,
  type Verified,
  type Verifier,
} from "./verifier.js";
