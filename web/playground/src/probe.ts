/** From revoked to refused, measured where it counts: at services that verify by themselves. */

import { now } from "./wire.js";

/** How long a refusal is waited for. */
const PATIENCE_MS = 20_000;

/** Services that are asked again and again. */
export interface Probe {
  /** All have said yes once: what they say from now on is news. */
  readonly isReady: Promise<unknown>;
  /** When the last of them first said no. */
  readonly refusedAt: Promise<number>;
}

/** Asks each service with a token, one request after the other, until it says no. */
export function untilRefused(services: readonly string[], token: string): Probe {
  const each = services.map((service) => probe(service, token));
  const refusedAt = Promise.all(each.map(({ refusedAt }) => refusedAt));
  // Whoever does not wait for it misses nothing.
  refusedAt.catch(() => {});
  return {
    isReady: Promise.all(each.map(({ isReady }) => isReady)),
    refusedAt: refusedAt.then((all) => Math.max(...all)),
  };
}

function probe(service: string, token: string) {
  const ask = () => fetch(`${service}/me`, { headers: { authorization: `Bearer ${token}` } });
  const isReady = ask().then((answer) => {
    if (!answer.ok) throw new Error(`the service refuses already (${answer.status})`);
  });
  const refusedAt = isReady.then(async () => {
    for (const since = now(); now() - since < PATIENCE_MS;)
      if ((await ask()).status === 401) return now();
    throw new Error(`no refusal within ${PATIENCE_MS / 1000} s`);
  });
  refusedAt.catch(() => {});
  return { isReady, refusedAt };
}
