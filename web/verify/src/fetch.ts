/** A guard for handlers of `Request` and `Response` (WHATWG Fetch), as Hono, Next and others have them in Node. */

import { headersOf } from "./node.js";
import type { Policy } from "./policy.js";
import { FEATURES_HEADER, presentedBy, type Presented, type Sees } from "./presented.js";
import { Rejected } from "./rejected.js";
import type { Verified, Verifier } from "./verifier.js";

/**
 * What a request shows. Two headers of one name come as one value with a comma, which no token and no proof has; features may
 * have one, and two of that header are other features than one.
 */
export const presentedOf = (request: Request, ip?: string): Presented =>
  presentedBy({
    method: request.method,
    target: request.url,
    authorization: valuesOf(request, "authorization"),
    dpop: valuesOf(request, "dpop"),
    features: [request.headers.get(FEATURES_HEADER) ?? []].flat(),
    ip,
  });

const valuesOf = ({ headers }: Request, name: string): string[] =>
  headers.get(name)?.split(",") ?? [];

/** The answer to a request that is not let in. */
export const answerOf = (rejected: Rejected): Response =>
  new Response(null, { status: rejected.status, headers: headersOf(rejected) });

/**
 * A handler that is reached by what a policy lets in, with who it was; everything else is answered with the status and the
 * challenge of the `Rejected`. Further arguments are handed on.
 *
 * Where a request comes from this platform does not say: `sees.ipFrom` does, for tokens that are bound to a network.
 */
export const guard =
  <Rest extends unknown[]>(
    verifier: Verifier,
    policy: Policy,
    handler: (request: Request, admitted: Verified, ...rest: Rest) => Response | Promise<Response>,
    sees: Sees<Request> = {},
  ) =>
  async (request: Request, ...rest: Rest): Promise<Response> => {
    let admitted: Verified;
    try {
      admitted = await verifier.admit(presentedOf(request, sees.ipFrom?.(request)), policy);
    } catch (why) {
      if (why instanceof Rejected) return answerOf(why);
      throw why;
    }
    return handler(request, admitted, ...rest);
  };
