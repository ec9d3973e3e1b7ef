/** What the authority means when it brings no tokens. */

import type { Answer } from "./challenge.js";
import type { End } from "./machine.js";

/** What an answer says (RFC 6749 §5.2). */
export interface Refusal {
  /** The session is over, for a reason if there was one. */
  readonly isOver: boolean;
  readonly end?: End | undefined;
  /** What is wrong with the set-up of the client. */
  readonly why?: string | undefined;
}

/** Reads an answer. What is not understood says nothing of the session. */
export async function refusalOf(answer: Answer): Promise<Refusal> {
  const body = (await answer.json()) as Partial<Record<string, string>>;
  const { error, reason } = body;
  // A client that is switched off comes back, and its sessions with it (docs/DESIGN.md §4.1).
  if (error === "invalid_grant" && reason !== "client_disabled")
    return { isOver: true, end: reason ? { reason } : undefined };
  const isOfClient = error && !reason && answer.status < 429;
  return {
    isOver: false,
    why: isOfClient ? `${error}: ${body["error_description"]}` : undefined,
  };
}

/** How long the authority asks to be left alone; dates are not read. */
export const retryMsOf = (answer: Answer): number =>
  (Number(answer.headers.get("retry-after")) || 0) * 1000;
