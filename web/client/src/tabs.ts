/** The other tabs of this origin: what they are told, and whose turn it is. */

import type { Event } from "./machine.js";

/** How long a tab waits for its turn. The server makes racing renewals safe: the lock only makes them rare. */
export const TURN_MS_MAX = 1500;

/** How long a tab waits for what others may have to say, and how far apart tabs begin where there are no locks. */
export const HEAR_MS_MAX = 80;

/** A line to the other tabs. */
export interface Tabs {
  /** Tells them what to see. */
  post(event: Event): void;
  /** Runs `work` when it is this tab's turn, or after 1.5 s in any case. What it runs does not throw. */
  turn(work: () => Promise<void>): void;
  close(): void;
}

/** Opens it. Where the platform has none, this is the only tab there is. */
export function openTabs(name: string, hear: (event: Event) => void): Tabs | undefined {
  if (!globalThis.BroadcastChannel) return undefined;
  let channel: BroadcastChannel | undefined = new BroadcastChannel(name);
  channel.onmessage = ({ data }: MessageEvent<Event>) => hear(data);
  return {
    post: (event) => channel?.postMessage(event),
    close() {
      channel?.close();
      // What was under way may still have something to say.
      channel = undefined;
    },
    turn(work) {
      let begun: Promise<void> | undefined;
      const begin = () => (begun ??= work());
      // Web Locks are for secure contexts only.
      const locks = globalThis.navigator?.locks as LockManager | undefined;
      void locks?.request(name, begin);
      void pause(locks ? TURN_MS_MAX : Math.random() * HEAR_MS_MAX).then(begin);
    },
  };
}

/** Waits. */
export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
