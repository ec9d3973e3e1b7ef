/** How a client is set up. */

import type { Answer, StepUp, Verdict } from "./challenge.js";
import type { End } from "./machine.js";
import type { Storage } from "./storage.js";
import type { Tokens } from "./tokens.js";

/** What `createClient` takes. */
export interface Options {
  /** Where the page reaches the authority: an origin, with a path if a proxy adds one. */
  readonly authority: string;
  readonly clientId: string;
  /** The authority's name in tokens, where it is not the address above. */
  readonly issuer?: string;
  /** Where the refresh token is kept. Default: an HttpOnly cookie. */
  readonly storage?: Storage;
  /** The origins of services that are sent the token, beside the page's own. To any other, requests go as they are. */
  readonly origins?: readonly string[];
  /** For how long a request waits for an authority that does not answer, in milliseconds. 0: not at all. Default: 30 s. */
  readonly patience?: number;
  /** Reads answers of services that say "unauthorized" in their own way; `undefined` leaves it to the challenge. */
  classify?(answer: Answer): Verdict | undefined | Promise<Verdict | undefined>;
  /**
   * The session is over. May open a dialog; requests wait for it, and go on if somebody is signed in by then. The
   * tokens that it returns are signed in with.
   *
   * What the dialog itself asks for it asks with the plain `fetch`: `client.fetch` and `client.token()` wait for the sign-in
   * like every other request, and a dialog that waits for them waits for itself.
   */
  onSessionEnded?(end: End): Promise<Tokens | void>;
  /** A service asks for more (RFC 9470). The request is sent again if this comes to `true`. */
  onStepUp?(asked: StepUp): Promise<boolean>;
  /** In place of the platform's `fetch`. */
  readonly fetch?: typeof fetch;
}

/** What `client.on` tells of, and with what. */
export interface Told {
  readonly renewed: undefined;
  /** What the authority says of the person has changed; the renewal is under way. */
  readonly stale: undefined;
  /** The authority does not answer. Nobody is signed out. */
  readonly offline: undefined;
  readonly ended: End;
  readonly displaced: End;
  readonly "step-up": StepUp;
  /** The session is about to end, in so many milliseconds. */
  readonly "ending-soon": { readonly inMs: number; readonly reason?: string };
}
