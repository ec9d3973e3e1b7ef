/** A guard for Fastify: a hook. */

import type { IncomingMessage } from "node:http";
import { admit, admittedOf as admittedBy, headersOf, presentedIn } from "./node.js";
import { bounded, type Policy } from "./policy.js";
import type { Sees } from "./presented.js";
import { Rejected } from "./rejected.js";
import type { Verified, Verifier } from "./verifier.js";

/** What is used of Fastify's request. */
export interface Request {
  readonly raw: Pick<IncomingMessage, "method" | "url" | "rawHeaders">;
  readonly originalUrl?: string;
  /** Where it came from, as far as Fastify's `trustProxy` says. */
  readonly ip?: string;
}

/** What is used of its reply. */
export interface Reply {
  code(status: number): unknown;
  headers(values: Readonly<Record<string, string>>): unknown;
  send(payload?: unknown): unknown;
}

/**
 * A hook for `onRequest`, of a server, a plugin or a route: lets through what a policy lets in, and answers everything else with
 * the status and the challenge of the `Rejected`. Behind it `admittedOf(request)` says who was let in.
 */
export const guard =
  (verifier: Verifier, policy: Policy = bounded(5000), sees: Sees<Request> = {}) =>
  async (request: Request, reply: Reply): Promise<unknown> => {
    try {
      const target = request.originalUrl ?? request.raw.url;
      const presented = presentedIn(request.raw, target, sees.ipFrom?.(request));
      admit(request.raw, await verifier.admit(presented, policy));
      return undefined;
    } catch (why) {
      if (!(why instanceof Rejected)) throw why;
      reply.code(why.status);
      reply.headers(headersOf(why));
      // Whoever returns the reply has answered: the route is not reached.
      return reply.send();
    }
  };

/** Who was let in with a request; throws where no guard stands before the route. */
export const admittedOf = ({ raw }: Pick<Request, "raw">): Verified => admittedBy(raw);
