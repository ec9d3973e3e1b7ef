/** The other tabs of this origin: what they are told, and whose turn it is. */

import type { End } from "./machine.js";
import type { Held } from "./tokens.js";

/** What tabs tell each other. */
export type Message =
  /** Who has something newer than I? */
  | { readonly is: "hello" }
  /** `at` is the age of what is held, since each page has a clock of its own, at the wall's `sentAt`. */
  | { readonly is: "signed-in" | "renewed"; readonly held: Held; readonly sentAt: number }
  | { readonly is: "ended" | "signed-out"; readonly sid: string | undefined; readonly end: End };

/** How long a tab waits for its turn. The server makes racing renewals safe: the lock only makes them rare. */
export const TURN_MS_MAX = 1500;

/** How long a tab waits for what others may have to say, and how far apart tabs begin where there are no locks. */
export const HEAR_MS_MAX = 80;

/** A line to the other tabs. */
export interface Tabs {
  post(message: Message): void;
  /** Runs `work` when it is this tab's turn, or after 1.5 s in any case; `queued` if another one was before it. */
  turn(work: (queued: boolean) => Promise<void>): Promise<void>;
  close(): void;
}

/** Opens it. Where the platform has none, this is the only tab there is. */
export function openTabs(name: string, hear: (message: Message) => void): Tabs {
  let channel: BroadcastChannel | undefined =
    globalThis.BroadcastChannel && new BroadcastChannel(name);
  if (channel) channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data);
  return {
    post: (message) => channel?.postMessage(message),
    close() {
      channel?.close();
      // What was under way may still have something to say.
      channel = undefined;
    },
    async turn(work) {
      // Web Locks are for secure contexts only.
      const locks = globalThis.navigator?.locks;
      if (!channel || !locks)
        return (channel && (await pause(Math.random() * HEAR_MS_MAX)), work(!!channel));
      const first = await locks.request(name, { ifAvailable: true }, async (lock) =>
        lock ? work(false) : "busy",
      );
      if (first !== "busy") return;
      let began = false;
      const begin = () => ((began = true), work(true));
      const signal = AbortSignal.timeout(TURN_MS_MAX);
      // What `work` throws is the caller's; otherwise the turn did not come in time.
      await locks
        .request(name, { signal }, begin)
        .catch((why: unknown) => (began ? Promise.reject(why) : begin()));
    },
  };
}

/** Waits. */
export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
