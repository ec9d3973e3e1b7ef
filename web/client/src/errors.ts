/** Why a request was not sent, or its answer is not to be had. */

import type { End } from "./machine.js";

/** The session is over (`invalid_grant`): somebody must sign in. */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
  /** Why (docs/DESIGN.md §4.3), and the device that took its place if the authority named one. */
  readonly end: End;
  constructor(end: End) {
    super(`Signed out (${end.reason}): sign in again.`);
    this.end = end;
  }
}

/** The authority does not answer (`temporarily_unavailable`): nobody is signed out; try again later. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/** The authority refuses the client itself (`unauthorized_client`, `invalid_client`, …): the set-up is wrong. */
export class Misconfigured extends Error {
  override readonly name = "Misconfigured";
}
