/** One request, sent as often as it takes: with a token, and once more if the token was at fault. */

import type { Answer } from "./challenge.js";
import type { Options } from "./options.js";
import type { Tokens } from "./tokens.js";
import type { Trouble } from "./trouble.js";

/** What adapters send a request by: `send` is called with the value of `Authorization`, if any, and again if need be. */
export type Call = <A>(
  origin: string,
  send: (authorization?: string) => Promise<A>,
  read: (answer: A) => Answer,
) => Promise<A>;

/** Makes it; `take` gives the tokens to send with. */
export const attempt =
  (options: Options, take: () => Promise<Tokens | undefined>, trouble: Promise<Trouble>): Call =>
  async (origin, send, read) => {
    if (origin !== globalThis.location?.origin && !options.origins?.includes(origin)) return send();
    for (let again = false; ; again = true) {
      const tokens = await take();
      if (!tokens) return send();
      const result = await send(`${tokens.token_type ?? "Bearer"} ${tokens.access_token}`);
      const answer = read(result);
      const isFine = !again && answer.status !== 401 && !options.classify;
      if (isFine || !(await (await trouble).isCured(origin, answer, tokens, again))) return result;
    }
  };
