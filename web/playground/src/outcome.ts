/** What an act from outside the tabs came to. */

/** What can be done to the session from outside. */
export type Act = "race" | "replay" | "kick" | "role" | "displace";

export const ACTS: readonly Act[] = ["race", "replay", "kick", "role", "displace"];

/** What came of it, or what it waits for. */
export type Outcome =
  | { readonly act: Act; readonly is: "running" }
  /** A refresh token is old only when the grace window has closed. */
  | { readonly act: "replay"; readonly is: "waiting"; readonly ms: number }
  | {
      readonly act: "race";
      readonly is: "done";
      readonly asked: number;
      readonly answered: number;
      readonly successors: number;
      readonly signedIn: boolean;
      readonly ms: number;
    }
  | {
      readonly act: "replay";
      readonly is: "done";
      readonly reason: string;
      readonly refusedMs: number;
    }
  | {
      readonly act: "kick";
      readonly is: "done";
      readonly refusedMs: number;
      readonly applied: number;
      readonly live: number;
      readonly appliedMs: number;
    }
  | {
      readonly act: "role";
      readonly is: "done";
      readonly role: string;
      readonly refusedMs: number;
      readonly renewedMs: number;
    }
  | {
      readonly act: "displace";
      readonly is: "done";
      readonly refusedMs: number;
      readonly ended: number;
    }
  | { readonly act: Act; readonly is: "failed"; readonly why: string };
