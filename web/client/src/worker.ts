/** The refresh token in a worker that all tabs share: scripts of the page can use the session, and not take it away. */

import type { Storage } from "./storage.js";
import type { Tokens } from "./tokens.js";

/** What the page says to the worker. */
export type ToWorker =
  | { readonly is: "keep"; readonly refresh: string }
  | { readonly is: "forget" }
  | { readonly is: "send"; readonly id: number; readonly path: string; readonly body: string };

/** What the worker says to the page. */
export interface FromWorker {
  readonly id: number;
  /** Left out if there was no answer. */
  readonly answer?: {
    readonly status: number;
    readonly retryAfter: string | null;
    readonly text: string;
  };
}

/** A way to the worker. */
export interface Keeper {
  /** For `createClient`. */
  readonly storage: Storage;
  readonly fetch: typeof fetch;
  /** Gives the worker the refresh token, and the rest back: `client.signIn(keeper.keep(tokens))`. */
  keep(tokens: Tokens): Tokens;
}

/**
 * Speaks to a worker that runs `keepTokens` of `@symbolon/client/worker-thread`. It lives as long as a tab of the
 * origin does.
 */
export function inWorker({ port }: SharedWorker, authority: string): Keeper {
  const asked = new Map<number, (said: FromWorker) => void>();
  let id = 0;
  port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    asked.get(data.id)?.(data);
    asked.delete(data.id);
  };
  const tell = (message: ToWorker) => port.postMessage(message);
  const send: typeof fetch = async (input, init) => {
    const url = String(input);
    const path = url.startsWith(`${authority}/oauth2/`) ? url.slice(authority.length) : undefined;
    if (!path) return fetch(input, init);
    const said = await new Promise<FromWorker>((done, fail) => {
      const own = ++id;
      asked.set(own, done);
      const gone = new TypeError("The worker does not answer.");
      init?.signal?.addEventListener("abort", () => (asked.delete(own), fail(gone)));
      tell({ is: "send", id: own, path, body: String(init?.body) });
    });
    if (!said.answer) throw new TypeError("The authority does not answer.");
    const { status, retryAfter, text } = said.answer;
    return new Response(text || null, {
      status,
      headers: retryAfter ? { "retry-after": retryAfter } : {},
    });
  };
  return {
    storage: { hidden: true, clear: () => tell({ is: "forget" }) },
    fetch: send,
    keep({ refresh_token: refresh, ...rest }) {
      if (refresh) tell({ is: "keep", refresh });
      return rest;
    },
  };
}
