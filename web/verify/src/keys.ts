/** Keeps the keys fresh: the only place that fetches them, one fetch at a time, so that no crowd of requests can. */

import type { Discovered } from "./discovery.js";
import { FetchError } from "./http.js";
import type { Keyring } from "./keyring.js";

/** How often keys are fetched, in milliseconds. */
export interface Pace {
  /** At least this between two fetches, whatever tokens name: a stranger can write any `kid`. */
  readonly refetchMs: number;
  /** A withdrawn key is forgotten, and a new one known, after this at the latest. */
  readonly maxAgeMs: number;
}

/** Between the first tries, as long as there are no keys at all; doubled each time to the longest. */
const FIRST_MS = 100;
const FIRST_MS_MAX = 2000;

/**
 * The least between two fetches when the feed asks for one: it needs a key to be heard at all. Only the authority's own host
 * writes the feed, so this bounds a fault, not a stranger.
 */
const TOLD_MS_MIN = 1000;

/** The most requests that wait for the first keys at once; further ones are told at once that there are none. Inclusive. */
const WAITING_MAX = 1024;

/** Fetches keys on time and on demand. */
export class KeyFetcher {
  /** Whether keys were ever fetched. */
  isReady = false;
  /** Where to ask about tokens. */
  introspection: string | undefined;
  private last: { at: number; failed: FetchError | undefined } | undefined;
  private failures = 0;
  private flight: Promise<FetchError | undefined> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private toldInFlight = false;
  private closed = false;
  private waiting: ((failed: FetchError | undefined) => void)[] = [];

  constructor(
    private readonly keyring: Keyring,
    private readonly pace: Pace,
    private readonly discover: () => Promise<Discovered>,
    private readonly failed: (why: FetchError) => void,
  ) {}

  /** A token names a key that is not known: fetches if the last fetch is long enough ago. */
  want(): void {
    if (this.isReady && !this.flight && this.sinceLast() >= this.pace.refetchMs) void this.fetch();
  }

  /** The feed says that keys changed, or is signed by one that is not known. */
  wantByFeed(): void {
    this.toldInFlight = this.flight !== undefined;
    if (this.isReady && !this.flight) this.schedule(Math.max(TOLD_MS_MIN - this.sinceLast(), 0));
  }

  /** Waits for the end of the next fetch, which the feed needs; answers why it failed, if it did. */
  nextByFeed(): Promise<FetchError | undefined> {
    const next = this.nextEnd();
    this.wantByFeed();
    return next;
  }

  /** Waits for the first keys, or for those of a fetch that is allowed now. */
  async newer(): Promise<void> {
    if (!this.isReady) {
      while (!this.isReady && !this.closed && this.waiting.length < WAITING_MAX)
        await this.nextEnd();
    } else if (this.flight || this.sinceLast() >= this.pace.refetchMs) await this.fetch();
  }

  /** Whether the keys are as new as the pace allows: a key that is unknown then is no key of the issuer. */
  get lookedLately(): boolean {
    const { last } = this;
    return this.isReady && !last?.failed && this.sinceLast() < this.pace.refetchMs;
  }

  /** Fetches; whoever comes meanwhile waits for the same answer. A failed fetch leaves the keys as they are. */
  fetch(): Promise<FetchError | undefined> {
    clearTimeout(this.timer);
    this.flight ??= this.one().finally(() => (this.flight = undefined));
    return this.flight;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.end(new FetchError("unreachable"));
  }

  private async one(): Promise<FetchError | undefined> {
    let failed: FetchError | undefined;
    try {
      const { keys, introspection } = await this.discover();
      this.keyring.replace(keys);
      this.introspection = introspection;
      this.isReady = true;
    } catch (why) {
      failed = why instanceof FetchError ? why : new FetchError("unreachable");
      if (!this.closed) this.failed(failed);
    }
    this.failures = failed ? this.failures + 1 : 0;
    this.last = { at: performance.now(), failed };
    this.schedule(this.toldInFlight && this.isReady ? TOLD_MS_MIN : this.untilDue());
    this.toldInFlight = false;
    this.end(failed);
    return failed;
  }

  private untilDue(): number {
    const { refetchMs, maxAgeMs } = this.pace;
    if (!this.isReady)
      return Math.min(FIRST_MS * 2 ** Math.min(this.failures - 1, 8), FIRST_MS_MAX);
    return this.failures ? Math.min(refetchMs, maxAgeMs) : maxAgeMs;
  }

  private schedule(ms: number): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(() => void this.fetch(), ms);
    this.timer.unref();
  }

  private sinceLast(): number {
    return this.last ? performance.now() - this.last.at : Infinity;
  }

  private nextEnd(): Promise<FetchError | undefined> {
    return new Promise((done) => this.waiting.push(done));
  }

  private end(failed: FetchError | undefined): void {
    for (const done of this.waiting.splice(0)) done(failed);
  }
}
