/**
 * Follows the feed, frame by frame, without I/O: bytes and clock readings in, what to do next out (api/feed.md, "What to do").
 *
 * A gap is always noticed, since every frame carries the running digest after it, and only what a signed checkpoint vouches
 * for counts as known. What was not vouched for is fetched again. A mirror adds and never forgets but by the feed's own time,
 * so that a forged frame can refuse a token and never let one in.
 */

import { checkpointOf, type Checkpoint } from "./checkpoint.js";
import { AuthorityClock } from "./clock.js";
import { after, isBoundary, type Cursor } from "./cursor.js";
import type { Entry } from "./entry.js";
import { FrameReader, type Frame } from "./frames.js";
import { Gap } from "./gap.js";
import type { KeySet } from "./jwk.js";
import type { Mirror } from "./mirror.js";
import type { Now } from "./now.js";
import { snapshotOf } from "./snapshot.js";
import type { TargetKey } from "./target.js";

/** How many entries of a snapshot are handed over at once. */
const ENTRIES_AT_ONCE = 4096;

/** What a follower works for. */
export interface Followed {
  readonly issuer: string;
  readonly mirror: Mirror;
  /** The keys in force. */
  keys(): KeySet | undefined;
  /** Told after the mirror, so that who begins to listen in between finds it there. */
  heard?(entries: readonly Entry[]): void;
  /** The feed was taken up by a snapshot. */
  resynced?(key: TargetKey): void;
}

/** What is needed next, whenever there is no connection. */
export type Want =
  /** The key set. Then call `onKeys`. */
  | { readonly is: "keys" }
  /** `GET /v1/feed/snapshot`, for `onSnapshot`. */
  | { readonly is: "snapshot" }
  /** `GET /v1/feed?after=` or `/v1/feed/poll?after=`, for `onBytes` and `onEnd`; status 410: `onGone`. */
  | { readonly is: "stream"; readonly after: string };

/** What some bytes of the feed brought. */
export interface Heard {
  /** How many revocations are known now that were not told before on this connection. */
  applied: number;
  /** Whether the authority vouched for all of them. */
  vouched: boolean;
  /** Somebody waits to hear what was applied. */
  report: boolean;
  /** The issuer's keys changed. */
  keys: boolean;
  /** The authority goes away; come back after so many milliseconds. */
  byeMs?: number;
}

/** Follows the feed for a mirror. */
export class Follower {
  /** How often the feed had to be taken up by a snapshot again. */
  resyncs = 0;
  private reader = new FrameReader();
  /** The last cursor that a checkpoint was signed for, and the cursor after the last frame. */
  private place: { vouched: Cursor; tip: Cursor } | undefined;
  private readonly clock = new AuthorityClock();
  private question: { nonce: string; asked: Now } | undefined;
  /** When the authority had read its whole log, by the last checkpoint that says so. */
  private readAt = 0;
  private wantsKeys = false;
  /** Something was signed by a key that is not there, and nothing that is readable came since. */
  private keyless = false;

  constructor(private readonly of: Followed) {}

  wants(): Want {
    if (this.wantsKeys || !this.of.keys()) return { is: "keys" };
    return this.place ? { is: "stream", after: this.place.vouched.text } : { is: "snapshot" };
  }

  /** The place up to which everything is known. */
  get tip(): Cursor | undefined {
    return this.place?.tip;
  }

  /**
   * Takes a snapshot: everything that a mirror must know, signed as a whole. `breathe` is awaited between parts of it, so that
   * a million entries do not hold up whoever else needs this thread.
   */
  async onSnapshot(bytes: Buffer, now: () => Now, breathe: () => Promise<void>): Promise<void> {
    try {
      await this.takeSnapshot(bytes, now, breathe);
    } catch (why) {
      const gap = Gap.of(why);
      this.wantsKeys ||= gap.what === "key";
      throw gap;
    }
  }

  /** Takes what came of the stream or of a poll, cut anywhere. Throws a `Gap`: drop the connection and ask `wants`. */
  onBytes(bytes: Uint8Array, now: Now): Heard {
    this.tick(now);
    this.reader.push(bytes);
    const heard: Heard = { applied: 0, vouched: false, report: false, keys: false };
    const batch: Entry[] = [];
    try {
      for (let frame = this.reader.next(); frame; frame = this.reader.next())
        this.take(frame, heard, batch, now);
    } catch (why) {
      throw this.lose(Gap.of(why));
    } finally {
      // Applied whatever came after: knowing too much never lets anyone in.
      this.apply(heard, batch);
    }
    return heard;
  }

  /** The connection ended. What no checkpoint vouched for will be fetched again. */
  onEnd(): void {
    this.reader = new FrameReader();
    if (this.place) this.place.tip = this.place.vouched;
  }

  /** The authority answered 410: a snapshot must come. */
  onGone(): void {
    this.lose(new Gap("gone"));
  }

  /** The key set was fetched, with or without success. */
  onKeys(): void {
    this.wantsKeys = false;
  }

  /**
   * The path of a question what time it is at the authority, if that is due: at first, each minute, and when a clock seems to
   * have jumped. `nonce` must be drawn freshly from the system: who could guess it could have an answer signed beforehand.
   */
  askTime(nonce: string, now: Now): string | undefined {
    this.tick(now);
    if (!this.place || !this.clock.isDue(now)) return undefined;
    this.clock.ask(now);
    this.question = { nonce, asked: now };
    return `/v1/feed/poll?after=${this.place.vouched.text}&nonce=${nonce}`;
  }

  /** Takes the answer to the last question; its revocations are the stream's business and passed over. */
  onTime(bytes: Uint8Array, now: Now): void {
    const reader = new FrameReader();
    reader.push(bytes);
    let answer: string | undefined;
    try {
      for (let frame = reader.next(); frame; frame = reader.next())
        if (frame.is === "checkpoint") answer = frame.jws;
      if (answer === undefined) throw new Gap("order");
      const said = this.readCheckpoint(answer);
      if (!this.question || said.nonce !== this.question.nonce) throw new Gap("forged");
      if (this.place?.tip.text === said.cursor.text) {
        this.place.vouched = this.place.tip;
        this.vouch(said, now);
      } else this.hearTime(said, now);
    } catch (why) {
      throw Gap.of(why);
    }
  }

  private take(frame: Frame, heard: Heard, batch: Entry[], now: Now): void {
    switch (frame.is) {
      case "revocation":
        this.fold(frame);
        batch.push(frame.revocation.entry);
        break;
      case "checkpoint":
        this.apply(heard, batch);
        this.checkpoint(frame.jws, now);
        heard.vouched = true;
        break;
      case "key":
        heard.keys = true;
        break;
      case "report":
        heard.report = true;
        break;
      case "bye":
        heard.byeMs = frame.retryMs;
        break;
      // What a later version adds is no revocation: one that was missed shows at the next cursor.
      case "other":
    }
  }

  /** Goes one revocation on, if it is the next one. */
  private fold({ cursor, revocation }: Extract<Frame, { is: "revocation" }>): void {
    const { place } = this;
    if (!place) throw new Gap("unplaced");
    if (cursor.epoch !== place.tip.epoch) throw new Gap("epoch");
    // The digest begins anew with each block: what is before it must have been vouched for.
    if (isBoundary(place.tip) && place.vouched.text !== place.tip.text) throw new Gap("boundary");
    const next = after(place.tip, revocation);
    if (next.text !== cursor.text) throw new Gap("order");
    place.tip = next;
  }

  private apply(heard: Heard, batch: Entry[]): void {
    if (!batch.length) return;
    const entries = batch.splice(0);
    this.of.mirror.apply(entries);
    this.of.heard?.(entries);
    heard.applied += entries.length;
  }

  private checkpoint(text: string, now: Now): void {
    const said = this.readCheckpoint(text);
    const { place } = this;
    if (!place) throw new Gap("unplaced");
    if (said.cursor.epoch !== place.tip.epoch) throw new Gap("epoch");
    if (said.cursor.text !== place.tip.text) throw new Gap("order");
    place.vouched = place.tip;
    this.keyless = false;
    this.vouch(said, now);
  }

  private readCheckpoint(text: string): Checkpoint {
    const keys = this.of.keys();
    if (!keys) throw new Gap("key");
    return this.ofOurIssuer(checkpointOf(keys, text));
  }

  private ofOurIssuer(said: Checkpoint): Checkpoint {
    if (said.iss !== this.of.issuer) throw new Gap("issuer");
    // It cannot have been read after it was signed.
    if (said.now < said.read_at) throw new Gap("forged");
    return said;
  }

  private async takeSnapshot(
    bytes: Buffer,
    now: () => Now,
    breathe: () => Promise<void>,
  ): Promise<void> {
    const keys = this.of.keys();
    if (!keys) throw new Gap("key");
    const snapshot = snapshotOf(keys, bytes);
    const said = this.ofOurIssuer(snapshot.checkpoint);
    const { mirror } = this.of;
    mirror.useTargetKey(snapshot.targetKey);
    for (let from = 0; from < snapshot.length; from += ENTRIES_AT_ONCE) {
      mirror.apply(snapshot.entries(from, from + ENTRIES_AT_ONCE));
      await breathe();
    }
    this.reader = new FrameReader();
    this.place = { vouched: said.cursor, tip: said.cursor };
    this.of.resynced?.(snapshot.targetKey);
    this.tick(now());
    this.date(said);
    this.hearTime(said, now());
  }

  /** Everything up to the tip was known to the authority when it read its log. */
  private vouch(said: Checkpoint, now: Now): void {
    const dated = this.date(said);
    this.hearTime(said, now);
    this.of.mirror.forget(said.read_at);
    if (dated && this.clock.isKnown) this.of.mirror.ready();
  }

  /**
   * Takes over when the log was read, if that is said: of a block that ended before its sender began, the sender knows the
   * digest alone, and such a checkpoint makes the mirror neither older nor younger.
   */
  private date(said: Checkpoint): boolean {
    if (said.read_at === 0) return false;
    this.readAt = said.read_at;
    this.of.mirror.vouch(said.read_at);
    return true;
  }

  private hearTime(said: Checkpoint, now: Now): void {
    if (this.question && said.nonce === this.question.nonce) {
      this.clock.answer(said.now, this.question.asked, this.readAt);
      this.question = undefined;
    } else this.clock.hear(said.now, now);
    this.tellClock(now);
  }

  private tick(now: Now): void {
    this.clock.tick(now);
    this.tellClock(now);
  }

  private tellClock(now: Now): void {
    const authority = this.clock.at(now);
    if (authority !== undefined) this.of.mirror.setClock(authority, now);
  }

  /** Gives the place up, so that a snapshot is wanted, or first the keys. */
  private lose(gap: Gap): Gap {
    this.onEnd();
    if (gap.what === "key" && !this.keyless) {
      this.wantsKeys = this.keyless = true;
      return gap;
    }
    // The keys were fetched and none of them signed it: one that is gone did, and the stream would bring it again.
    this.keyless = false;
    if (this.place) this.resyncs += 1;
    this.place = undefined;
    return gap;
  }
}
