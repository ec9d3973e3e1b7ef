/** The feed over the network: keys, snapshot, then the stream, or polls where streams are held back (api/feed.md). */

import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { RECORD_BYTES } from "./entry.js";
import type { Follower, Heard } from "./follower.js";
import { FetchError, type Http, type Stream } from "./http.js";
import type { KeyFetcher } from "./keys.js";
import { ENTRIES_MAX, type Mirror } from "./mirror.js";
import type { Now } from "./now.js";
import { Backoff, Bell, jitter } from "./rest.js";
import { LINE_BYTES_MAX } from "./snapshot.js";

/** How the feed is followed: not at all (now), as a stream, or by long polls. */
export type Mode = "off" | "stream" | "poll";

/** How long a stream may go without a fresh checkpoint before polls take its place, in milliseconds. Inclusive. */
const SILENCE_MS_MAX = 3000;

/** How long polls go on before the stream is tried again: at first, and doubled each time that it is silent, at the most. */
const STREAM_AGAIN_MS = 60_000;
const STREAM_AGAIN_MS_MAX = 15 * 60_000;

/** How long the head of an answer, and how long a part of a snapshot may take. Inclusive. */
const HEAD_MS_MAX = 3000;
const PART_MS_MAX = 5000;

/** How long a poll is held at the authority: a quarter of the bound, within these. Inclusive. */
const POLL_MS_MIN = 250;
const POLL_MS_MAX = 20_000;

/** The longest answer to a poll, and the longest snapshot, in bytes. Inclusive. */
const POLL_BYTES_MAX = 1024 * 1024;
const SNAPSHOT_BYTES_MAX = ENTRIES_MAX * RECORD_BYTES + LINE_BYTES_MAX;

/** The longest that the authority may send us away, whatever it says. Inclusive. */
const BYE_MS_MAX = 30_000;

/** How often it is looked whether the authority should be asked for the time, and how long an answer may take. */
const TICK_MS = 500;
const TIME_MS_MAX = 5000;

/** What the feed works with. */
export interface FeedParts {
  readonly http: Http;
  readonly apiKey: string;
  readonly follower: Follower;
  readonly keys: KeyFetcher;
  readonly mirror: Mirror;
  readonly maxStalenessMs: number;
  readonly pollOnly: boolean;
  at(path: string): string;
  now(): Now;
  /** Something was heard and applied. */
  heard(heard: Heard): void;
  /** It failed, and is taken up again. */
  failed(why: FetchError): void;
}

/** How a connection ended: go on, wait so long, or poll, since nothing was heard for too long. */
type Left = "onward" | "silent" | { readonly byeMs: number };

/** Follows until it is closed. */
export class Feed {
  mode: Mode = "off";
  private readonly backoff = new Backoff();
  private readonly time = new Bell();
  private readonly pause = new Bell();
  private pollUntil = -Infinity;
  private again = STREAM_AGAIN_MS;
  private takesSnapshot = false;
  private closed = false;

  constructor(private readonly parts: FeedParts) {}

  start(): void {
    void this.lead();
    void this.keepTime();
  }

  close(): void {
    this.closed = true;
    this.mode = "off";
    this.time.ring();
    this.pause.ring();
  }

  private async lead(): Promise<void> {
    while (!this.closed) {
      try {
        const left = await this.step();
        if (left === "silent") this.wasSilent();
        else if (left !== "onward") await this.pause.wait(jitter(Math.min(left.byeMs, BYE_MS_MAX)));
      } catch (why) {
        this.mode = "off";
        if (this.closed) return;
        this.parts.failed(failureOf(why));
        await this.pause.wait(this.backoff.next());
      }
    }
  }

  private async step(): Promise<Left> {
    const { follower, keys } = this.parts;
    const wants = follower.wants();
    if (wants.is === "keys") {
      const failed = await keys.nextByFeed();
      follower.onKeys();
      if (failed) throw failed;
      return "onward";
    }
    if (wants.is === "snapshot") return this.snapshot();
    const polls = this.parts.pollOnly || performance.now() < this.pollUntil;
    return polls ? this.poll(wants.after) : this.stream(wants.after);
  }

  private wasSilent(): void {
    this.pollUntil = performance.now() + this.again;
    this.again = Math.min(this.again * 2, STREAM_AGAIN_MS_MAX);
  }

  private async snapshot(): Promise<Left> {
    const { http, apiKey, follower, at, now } = this.parts;
    const url = at("/v1/feed/snapshot");
    const question = { url, apiKey, deadlineMs: PART_MS_MAX, bytesMax: SNAPSHOT_BYTES_MAX };
    const bytes = await http.download(question);
    this.takesSnapshot = true;
    try {
      await follower.onSnapshot(bytes, now, () => setImmediate());
    } finally {
      this.takesSnapshot = false;
    }
    this.time.ring();
    return "onward";
  }

  private async stream(after: string): Promise<Left> {
    const { http, apiKey, follower, mirror, at, now } = this.parts;
    const url = at(`/v1/feed?after=${after}`);
    const stream = await this.opened(http.open({ url, apiKey, deadlineMs: HEAD_MS_MAX }));
    this.mode = "stream";
    try {
      for (let silentAt = performance.now() + SILENCE_MS_MAX; ;) {
        const bytes = await nextUntil(stream, silentAt);
        if (bytes === "silent") return bytes;
        const heard = this.hear(bytes);
        if (heard.byeMs !== undefined) return { byeMs: heard.byeMs };
        // A checkpoint that was held back on the way is as bad as none.
        const age = mirror.age(now());
        if (!heard.vouched || (age !== undefined && age > SILENCE_MS_MAX)) continue;
        silentAt = performance.now() + SILENCE_MS_MAX;
        this.backoff.reset();
        this.again = STREAM_AGAIN_MS;
      }
    } finally {
      this.mode = "off";
      stream.leave();
      follower.onEnd();
    }
  }

  private async poll(after: string): Promise<Left> {
    const { http, apiKey, follower, maxStalenessMs, at } = this.parts;
    const begun = performance.now();
    const held = Math.round(Math.min(Math.max(maxStalenessMs / 4, POLL_MS_MIN), POLL_MS_MAX));
    const url = at(`/v1/feed/poll?after=${after}&wait=${held}ms`);
    const deadlineMs = held + HEAD_MS_MAX;
    const question = { url, apiKey, deadlineMs, bytesMax: POLL_BYTES_MAX };
    const bytes = await this.opened(http.call(question));
    try {
      const heard = this.hear(bytes);
      if (heard.byeMs !== undefined) return { byeMs: heard.byeMs };
      // Without a checkpoint the authority could not read its store just then.
      if (!heard.vouched) throw new FetchError("unreachable");
      this.mode = "poll";
      this.backoff.reset();
      // Whoever answers at once that there is nothing is not asked in a loop.
      const rest = POLL_MS_MIN - (performance.now() - begun);
      if (heard.applied === 0 && rest > 0) await this.pause.wait(rest);
      return "onward";
    } finally {
      follower.onEnd();
    }
  }

  private async opened<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (why) {
      if (why instanceof FetchError && why.status === 410) this.parts.follower.onGone();
      throw why;
    }
  }

  private hear(bytes: Uint8Array): Heard {
    const heard = this.parts.follower.onBytes(bytes, this.parts.now());
    if (heard.keys) this.parts.keys.wantByFeed();
    this.parts.heard(heard);
    return heard;
  }

  /** Knows what time it is at the authority. */
  private async keepTime(): Promise<void> {
    const { follower, http, apiKey, at, now, heard } = this.parts;
    while (!this.closed) {
      await this.time.wait(TICK_MS);
      // While a snapshot is taken there is nothing that an answer would be the age of.
      const path = !this.takesSnapshot && follower.askTime(randomBytes(16).toString("hex"), now());
      if (!path || this.closed) continue;
      const question = { url: at(path), apiKey, deadlineMs: TIME_MS_MAX, bytesMax: POLL_BYTES_MAX };
      try {
        const answer = await http.call(question);
        if (this.takesSnapshot) continue;
        follower.onTime(answer, now());
        heard({ applied: 0, vouched: true, report: false, keys: false });
      } catch {
        // It is asked again within a second; nothing is lost by that.
      }
    }
  }
}

async function nextUntil(stream: Stream, at: number): Promise<Uint8Array | "silent"> {
  try {
    const bytes = await stream.next(Math.max(at - performance.now(), 0));
    if (!bytes) throw new FetchError("unreachable");
    return bytes;
  } catch (why) {
    if (why instanceof FetchError && why.what === "late") return "silent";
    throw why;
  }
}

function failureOf(why: unknown): FetchError {
  if (why instanceof FetchError) return why;
  return new FetchError("feed", why instanceof Error ? why.message : "");
}
