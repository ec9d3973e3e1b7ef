/** A guard for handlers of `Request` and `Response` (WHATWG Fetch), as Hono, Next and others have them in Node. */

import { headersOf } from "./node.js";
import type { Policy } from "./policy.js";
import { presentedBy, type Presented } from "./presented.js";
import { Rejected } from "./rejected.js";
import type { Verified, Verifier } from "./verifier.js";

/** What a request shows. Two headers of one name come as one value with a comma, which no token and no proof has. */
export const presentedOf = (request: Request): Presented =>
  presentedBy({
    method: request.method,
    target: request.url,
    authorization: valuesOf(request, "authorization"),
    dpop: valuesOf(request, "dpop"),
  });

const valuesOf = ({ headers }: Request, name: string): string[] =>
  headers.get(name)?.split(",") ?? [];

/** The answer to a request that is not let in. */
export const answerOf = (rejected: Rejected): Response =>
  new Response(null, { status: rejected.status, headers: headersOf(rejected) });

/**
 * A handler that is reached by what a policy lets in, with who it was; everything else is answered with the status and the
 * challenge of the `Rejected`. Further arguments are handed on.
 */
export const guard =
  <Rest extends unknown[]>(
    verifier: Verifier,
    policy: Policy,
    handler: (request: Request, admitted: Verified, ...rest: Rest) => Response | Promise<Response>,
  ) =>
  async (request: Request, ...rest: Rest): Promise<Response> => {
    let admitted: Verified;
    try {
      admitted = await verifier.admit(presentedOf(request), policy);
    } catch (why) {
      if (why instanceof Rejected) return answerOf(why);
      throw why;
    }
    return handler(request, admitted, ...rest);
  };
