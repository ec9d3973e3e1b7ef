/** A tab's `fetch`: sees what goes over the wire, and makes trouble. */

import type { Tokens } from "@symbolon/client";
import { type Entry, type Grant, now } from "./wire.js";

/** What a tab's network can be made to do. */
export interface Network {
  /** For `createClient({ fetch })`. */
  readonly fetch: typeof fetch;
  readonly isOffline: boolean;
  /** Cuts what is under way, and lets nothing out from now on; or back. */
  setOffline(isOffline: boolean): void;
  /** Throws the next answer to a renewal away, after the authority has committed it. */
  loseNext(): void;
}

/** What a tab does about what is seen. */
export interface Sees {
  saw(entry: Omit<Entry, "who">): void;
  granted(grant: Grant): void;
}

/** What an answer of the token endpoint, or of a sign-in, grants. */
export const grantOf = ({ session_id, access_token, refresh_token }: Tokens): Grant => ({
  sid: session_id,
  access: access_token,
  refresh: refresh_token,
  at: now(),
});

/** Makes one. */
export function network(authority: string, { saw, granted }: Sees): Network {
  let isOffline = false;
  let loses = false;
  let cut = new AbortController();

  const send: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input));
    const isToken = url.href === `${authority}/oauth2/token`;
    const isStream = url.pathname === "/v1/me/events";
    const isOfEvents = isToken && String(init?.body).includes("resource=");
    const about = isOfEvents || isStream ? "events" : url.pathname;
    const at = now();
    if (isOffline) {
      saw({ at, mark: "unsent", about });
      throw new TypeError("This tab is offline.");
    }
    const signals = [cut.signal, ...(init?.signal ? [init.signal] : [])];
    const answer = await fetch(input, { ...init, signal: AbortSignal.any(signals) });
    const took = { at, ms: now() - at, about, status: answer.status };
    if (isToken && loses && !isOfEvents) {
      loses = false;
      saw({ ...took, mark: "lost" });
      throw new TypeError("The answer was lost.");
    }
    if (!answer.ok) saw({ ...took, mark: "refused" });
    else if (isToken) {
      granted(grantOf((await answer.clone().json()) as Tokens));
      saw({ ...took, mark: "renewal" });
    } else if (!isStream) saw({ ...took, mark: "request" });
    return answer;
  };

  return {
    fetch: send,
    get isOffline() {
      return isOffline;
    },
    setOffline(wanted) {
      isOffline = wanted;
      if (!wanted) return;
      cut.abort();
      cut = new AbortController();
    },
    loseNext: () => (loses = true),
  };
}
