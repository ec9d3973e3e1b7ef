/** A guard for Express, Connect and whatever else has `(request, response, next)`. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { admit, answer, presentedIn } from "./node.js";
import { bounded, type Policy } from "./policy.js";
import type { Sees } from "./presented.js";
import { Rejected } from "./rejected.js";
import type { Verifier } from "./verifier.js";

export { admittedOf } from "./node.js";

/** Middleware, as Express takes it. */
export type Middleware = (
  request: IncomingMessage & { readonly originalUrl?: string },
  response: ServerResponse,
  next: (why?: unknown) => void,
) => void;

/**
 * Lets through what a policy lets in, and answers everything else with the status and the challenge of the `Rejected`, and an
 * empty body that may not be stored. Behind it `admittedOf(request)` says who was let in.
 *
 * It guards what comes after it and nothing else. The proof of a bound token must be for `originalUrl` below `publicUrl`, so
 * that it may stand in a router of its own.
 */
export const guard =
  (
    verifier: Verifier,
    policy: Policy = bounded(5000),
    sees: Sees<IncomingMessage> = {},
  ): Middleware =>
  (request, response, next) => {
    const look = async () => {
      const target = request.originalUrl ?? request.url;
      const presented = presentedIn(request, target, sees.ipFrom?.(request));
      admit(request, await verifier.admit(presented, policy));
    };
    look().then(
      () => next(),
      (why: unknown) => (why instanceof Rejected ? answer(response, why) : next(why)),
    );
  };
