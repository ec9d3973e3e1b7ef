/** One request, sent as often as it takes: with a token, and once more if the token was at fault. */

import { type Answer, verdictOf } from "./challenge.js";
import type { Event } from "./machine.js";
import type { Options } from "./options.js";
import type { Tokens } from "./tokens.js";

/** What adapters send a request by: `send` is called with the value of `Authorization`, if any, and again if need be. */
export type Call = <A>(
  origin: string,
  send: (authorization?: string) => Promise<A>,
  read: (answer: A) => Answer,
) => Promise<A>;

/** For how long a service that refused a new token too is not renewed for; longer each time, up to the second. */
const DOUBT_MS = 10_000;
const DOUBT_MS_MAX = 300_000;

/** Makes it. */
export function attempt(
  options: Options,
  take: () => Promise<Tokens | undefined>,
  dispatch: (event: Event) => void,
  emit: (name: string, told: unknown) => void,
  clock: () => number,
): Call {
  /** Origins that refused a token which was renewed for them: another renewal would not help. */
  const doubts = new Map<string, { readonly ms: number; readonly until: number }>();

  return async (origin, send, read) => {
    if (origin !== globalThis.location?.origin && !options.origins?.includes(origin)) return send();
    for (let tried: unknown; ;) {
      const tokens = await take();
      if (!tokens) return send();
      const result = await send(`${tokens.token_type ?? "Bearer"} ${tokens.access_token}`);
      const answer = read(result);
      const verdict = (await options.classify?.(answer)) ?? verdictOf(answer);
      const doubt = doubts.get(origin) ?? { ms: DOUBT_MS / 2, until: 0 };
      const isDoubted = clock() < doubt.until;
      if (verdict === "pass") {
        if (tried && answer.status < 400) doubts.delete(origin);
        return result;
      }
      if (verdict === "renew") {
        const ms = Math.min(doubt.ms * 2, DOUBT_MS_MAX);
        if (tried && !isDoubted) doubts.set(origin, { ms, until: clock() + ms });
        if (tried || isDoubted) return result;
        dispatch({ is: "refused", token: tokens.access_token });
      } else {
        emit("step-up", verdict);
        if (tried || !(await options.onStepUp?.(verdict))) return result;
      }
      tried = verdict;
    }
  };
}
