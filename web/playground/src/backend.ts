/** The application's back end: what needs an operator's key is done there, and by nobody else. */

import type { Tokens } from "@symbolon/client";
import type { Setup } from "./wire.js";

/** What the back end can be asked for. Nothing that it does depends on more than this page says here. */
export interface Backend {
  setup(): Promise<Setup>;
  /** Signs the playground's own person in; everybody's password is right here. */
  signIn(): Promise<Tokens>;
  kick(): Promise<Ended>;
  displace(): Promise<{ readonly displaced: readonly unknown[] }>;
  role(role: string): Promise<unknown>;
}

/** What the authority says of an end, once all verifiers have confirmed it. */
export interface Ended {
  readonly ended: readonly unknown[];
  readonly verifiers?: {
    readonly live: number;
    readonly applied: number;
    readonly elapsed_ms: number;
  };
}

/** Asks it, with the key that `symbolon dev` printed. */
export function backend(key: string): Backend {
  const ask = async <Answer>(act: string, body?: object): Promise<Answer> => {
    const answer = await fetch(`/playground/back-end/${act}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify(body ?? {}),
    });
    const said = (await answer.json().catch(() => ({}))) as Answer & { detail?: string };
    if (!answer.ok) throw new Refused(answer.status, said.detail ?? answer.statusText);
    return said;
  };
  return {
    setup: () => ask("setup"),
    signIn: () => ask("sign-in"),
    kick: () => ask("kick"),
    displace: () => ask("displace"),
    role: (role) => ask("role", { role }),
  };
}

/** It said no. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  constructor(status: number, why: string) {
    super(why);
    this.status = status;
  }
}
