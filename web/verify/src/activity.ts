/** Which sessions were used, until the authority is told: those whose client does not renew live by it (docs/DESIGN.md §4.6). */

import { FetchError, type Http } from "./http.js";
import { Bell, jitter } from "./rest.js";

/** How many sessions may wait until the authority is told of them. Inclusive; the use of longest ago is forgotten beyond. */
export const WAITING_MAX = 1 << 16;

/** How many uses are told at once. Inclusive; the authority refuses more. */
const USES_MAX = 1000;

/** The longest that a use waits before it is told for the first time, in milliseconds; half of it at least. */
const EVERY_MS = 60_000;

/** How often a telling may fail before what is left waits for the next, and the wait between tries. */
const FAILURES_MAX = 3;
const AGAIN_MS = 2000;

/** How long an answer may take, in milliseconds. Inclusive. */
const ANSWER_MS_MAX = 10_000;

/** A session, and when it was used, in seconds by the authority's clock. */
type Use = readonly [sid: string, at: number];

/** The uses that were seen. A session is marked once a minute. */
export class Activity {
  /** How many were forgotten untold. */
  dropped = 0;
  private minute = 0;
  private readonly marked = new Set<string>();
  /** The last use of each session, that of longest ago first. */
  private readonly waiting = new Map<string, number>();

  /** How many wait. */
  get size(): number {
    return this.waiting.size;
  }

  /** A session was used, at that instant in milliseconds. */
  mark(sid: string, atMs: number): void {
    const minute = Math.floor(atMs / 60_000);
    if (minute !== this.minute) {
      this.minute = minute;
      this.marked.clear();
    }
    if (this.marked.has(sid)) return;
    // Beyond the bound a session is marked more often than needed.
    if (this.marked.size < WAITING_MAX) this.marked.add(sid);
    this.add([sid, Math.floor(atMs / 1000)]);
  }

  /** Takes the uses of longest ago, at most so many. */
  take(most: number): Use[] {
    const taken = [...this.waiting].slice(0, most);
    for (const [sid] of taken) this.waiting.delete(sid);
    return taken;
  }

  /** Gives back what could not be told; a later use of the same session takes its place. */
  giveBack(uses: readonly Use[]): void {
    for (const use of uses) this.add(use);
  }

  private add([sid, at]: Use): void {
    if (at <= (this.waiting.get(sid) ?? -1)) return;
    this.waiting.delete(sid);
    this.waiting.set(sid, at);
    if (this.waiting.size <= WAITING_MAX) return;
    this.take(1);
    this.dropped += 1;
  }
}

/** Whom is told. */
export interface TellParts {
  readonly http: Http;
  readonly apiKey: string;
  readonly url: string;
  failed(why: FetchError): void;
}

/** Tells the authority once a minute which sessions were used (`POST /v1/activity`). */
export class Teller {
  private readonly pause = new Bell();
  private closed = false;

  constructor(
    private readonly activity: Activity,
    private readonly parts: TellParts,
  ) {}

  start(): void {
    void this.run();
  }

  close(): void {
    this.closed = true;
    this.pause.ring();
  }

  /** Tells everything that waits. */
  async tell(): Promise<void> {
    for (let failures = 0; failures < FAILURES_MAX && !this.closed;) {
      const uses = this.activity.take(USES_MAX);
      if (!uses.length) return;
      const failed = await this.post(uses);
      if (!failed) continue;
      this.parts.failed(failed);
      if ([400, 401, 403, 404, 413].includes(failed.status ?? 0)) {
        // The next try would go no better; what was used is used again.
        this.activity.dropped += uses.length;
        return;
      }
      failures += 1;
      this.activity.giveBack(uses);
      if (failures < FAILURES_MAX) await this.pause.wait(jitter(AGAIN_MS));
    }
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      await this.pause.wait(jitter(EVERY_MS));
      await this.tell();
    }
  }

  private async post(uses: readonly Use[]): Promise<FetchError | undefined> {
    const { http, apiKey, url } = this.parts;
    const json = { uses: uses.map(([session_id, at]) => ({ session_id, at })) };
    try {
      await http.call({ url, apiKey, json, deadlineMs: ANSWER_MS_MAX });
      return undefined;
    } catch (why) {
      return why instanceof FetchError ? why : new FetchError("unreachable");
    }
  }
}
