/** What Node's own requests and answers have in common, for whoever guards routes. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { FEATURES_HEADER, presentedBy, type Presented } from "./presented.js";
import { Rejected } from "./rejected.js";
import type { Verified } from "./verifier.js";

/** A request as `node:http` and `node:http2` give it. */
export type NodeRequest = Pick<IncomingMessage, "method" | "url" | "rawHeaders">;

/**
 * What a request of `node:http` shows: the token of its one `Authorization` header, and from nowhere else. Its headers are taken
 * as they came, since Node drops the second of two. `ip` is where it came from, for tokens that are bound to a network.
 */
export const presentedIn = (
  request: NodeRequest,
  target = request.url,
  ip?: string | undefined,
): Presented =>
  presentedBy({
    method: request.method,
    target,
    authorization: valuesOf(request, "authorization"),
    dpop: valuesOf(request, "dpop"),
    features: valuesOf(request, FEATURES_HEADER),
    ip,
  });

function valuesOf({ rawHeaders }: NodeRequest, name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]!.toLowerCase() === name);
}

/** The headers of the answer to a request that is not let in (RFC 6750 §3, RFC 9449 §9). */
export function headersOf(rejected: Rejected): Readonly<Record<string, string>> {
  const { challenge, dpopNonce } = rejected;
  return {
    "cache-control": "no-store",
    "www-authenticate": challenge,
    ...(dpopNonce !== undefined && { "dpop-nonce": dpopNonce }),
  };
}

/** Answers a request that is not let in. */
export function answer(response: ServerResponse, rejected: Rejected): void {
  response.writeHead(rejected.status, { ...headersOf(rejected), "content-length": "0" });
  response.end();
}

const admitted = new WeakMap<object, Verified>();

/** Remembers who was let in with a request. */
export const admit = (request: object, verified: Verified): void =>
  void admitted.set(request, verified);

/**
 * Who was let in with a request. Throws where nobody had looked, which is a mistake of the program: no guard stands before this
 * route.
 */
export function admittedOf(request: object): Verified {
  const verified = admitted.get(request);
  if (!verified) throw new Error("no guard of @symbolon/verify stands before this route");
  return verified;
}
