/**
 * Silent renewal of access tokens in the browser.
 *
 * ```ts
 * const client = createClient({ authority: location.origin, clientId: "web" });
 * const answer = await client.fetch("/orders");
 * ```
 *
 * @module
 */

import { type Client, start } from "./client.js";
import type { Options } from "./options.js";

export type { AxiosLike } from "./axios.js";
export type { Outcome } from "./authority.js";
export type { Answer, StepUp, Verdict } from "./challenge.js";
export type { Client, Rim, Session } from "./client.js";
export type { End, Phase } from "./machine.js";
export type { Options, Told } from "./options.js";
export { type Kept, type Storage, memory, webStorage } from "./storage.js";
export type { Tokens } from "./tokens.js";

interface Shared {
  readonly client: Client;
  users: number;
}

/** One machine per authority and client, also where a bundle is loaded twice or replaced while the page lives. */
const ALL = Symbol.for("@symbolon/client");
const all = ((globalThis as { [ALL]?: Map<string, Shared> })[ALL] ??= new Map());

/**
 * Creates a client, or gives the one there is for this authority and client id, with the callbacks of the newest call.
 *
 * It is taken down when each of its creators has called `dispose`, in the next turn of the event loop: a component
 * that is mounted twice at once (React's StrictMode) finds it alive.
 */
export function createClient(options: Options): Client {
  const key = `${options.authority} ${options.clientId}`;
  const shared: Shared = all.get(key) ?? { client: start({ ...options }, leave), users: 0 };
  all.set(key, shared);
  shared.users++;
  Object.assign(shared.client.rim.options, options);
  return shared.client;

  function leave() {
    shared.users--;
    setTimeout(() => !shared.users && all.delete(key) && shared.client.rim.stop());
  }
}
