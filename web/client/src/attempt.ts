/** One request, sent as often as it takes: with a token, and once more if the token was at fault. */

import { type Answer, verdictOf } from "./challenge.js";
import type { Event } from "./machine.js";
import type { Options } from "./options.js";
import type { Tokens } from "./tokens.js";

/** What adapters send a request by: `send` is called with the value of `Authorization`, if any, and again if need be. */
export type Call = <A>(
  origin: string | undefined,
  send: (authorization?: string) => Promise<A>,
  read: (answer: A) => Answer,
) => Promise<A>;

/** Makes it. */
export function attempt(
  options: Options,
  take: () => Promise<Tokens | undefined>,
  dispatch: (event: Event) => void,
  emit: (name: string, told: unknown) => void,
): Call {
  /** Origins that refused a token which was renewed for them: no renewal helps there until they accept one. */
  const doubted = new Set<unknown>();

  return async (origin, send, read) => {
    if (origin !== globalThis.location?.origin && !options.origins?.includes(origin!)) return send();
    for (let tried: unknown; ; ) {
      const tokens = await take();
      if (!tokens) return send();
      const result = await send(`${tokens.token_type ?? "Bearer"} ${tokens.access_token}`);
      const answer = read(result);
      const verdict = (await options.classify?.(answer)) ?? verdictOf(answer);
      if (verdict === "pass") {
        if (answer.status < 400) doubted.delete(origin);
        return result;
      }
      if (verdict === "renew") {
        if (tried) doubted.add(origin);
        if (doubted.has(origin)) return result;
        dispatch({ is: "refused", token: tokens.access_token });
      } else {
        emit("step-up", verdict);
        if (tried || !(await options.onStepUp?.(verdict))) return result;
      }
      tried = verdict;
    }
  };
}
