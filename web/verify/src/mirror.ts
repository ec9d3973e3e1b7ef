/**
 * The verifier's copy of what is revoked (docs/DESIGN.md §4.3, §4.4): filled by the feed, read by every check.
 *
 * A mirror that could not keep something says so by having no age until all that it lost has ended: the policy of each route
 * then decides.
 */

import type { Ver } from "./claims.js";
import { EVERYTHING, isBelow, keyName, type Below, type Entry, type Kind } from "./entry.js";
import { elapsed, type Now } from "./now.js";
import type { Effect, Reason } from "./reason.js";
import { digestOf, type DigestedKind, type TargetKey } from "./target.js";

/** The most that a mirror holds. Inclusive: some 700 MB of memory. */
export const ENTRIES_MAX = 1 << 22;

/** Which part of all entries is looked through at a time for what has ended, and how many at least. */
const SWEPT_PART = 1 / 16;
const SWEPT_MIN = 1024;

/** What the mirror knows against a token. */
export interface Judgement {
  readonly effect: Effect;
  readonly reason: Reason;
}

/** What a token can be hit by: the text of its claims. */
export interface Hittable {
  readonly jti: string;
  readonly sid: string | undefined;
  readonly sub: string;
  readonly client_id: string;
  readonly ver: Ver;
}

/** A token's names in the mirror, under each key that is in use. */
export type Names = readonly (readonly [Kind, string])[];

interface Mark {
  below: Below | undefined;
  reason: Reason;
  expires_at: number;
}

/** What holds of a target: each effect has a mark of its own, and neither takes the other's place. */
type Marks = { [effect in Effect]?: Mark };

/** What is revoked, as far as the feed was followed. */
export class Mirror {
  /** Rises with everything that is added: what found nothing at one number finds nothing while it stands. */
  sequence = 0;
  private readonly marks = new Map<string, Marks>();
  private sweeper: Iterator<[string, Marks]> | undefined;
  private kept = 0;
  /** What ended before this second is forgotten, swept or not. */
  private oldest = 0;
  /** Until which second anything ever added is kept. */
  private latest = 0;
  /** Something that ends in the second before this could not be kept. */
  private lost = 0;
  private newest: TargetKey | undefined;
  private previous: { key: TargetKey; until: number } | undefined;
  private readAt: number | undefined;
  private clock: { authority: number; at: Now } | undefined;
  private isReady = false;

  /** `isFollowed`: somebody fills it; else its silence is not that of an authority which cannot be heard. */
  constructor(
    readonly isFollowed: boolean,
    private readonly entriesMax = ENTRIES_MAX,
  ) {}

  /** How many marks are kept. */
  get size(): number {
    return this.kept;
  }

  /** The second up to which it was forgotten what had ended. */
  get forgotten(): number {
    return this.oldest;
  }

  /** How often the key under which targets are digested was replaced. */
  keyGeneration = 0;

  /** The key under which targets are digested now. */
  get targetKey(): TargetKey | undefined {
    return this.newest;
  }

  /** Adds what the feed or a snapshot says. Adding again changes nothing. */
  apply(entries: readonly Entry[]): void {
    for (const entry of entries) this.add(entry);
    this.sequence += 1;
  }

  /** Digests targets under this key from now on, and under the one before it until all that was kept by now has ended. */
  useTargetKey(key: TargetKey): void {
    if (this.newest?.text === key.text) return;
    const returned = this.previous?.key.text === key.text;
    if (this.previous && !returned) this.lose(this.previous.until);
    this.previous = this.newest && { key: this.newest, until: this.latest };
    this.newest = key;
    this.keyGeneration += 1;
    this.sequence += 1;
  }

  /** Lets go of what ended before this instant of the feed, in milliseconds. To be called about once a second. */
  forget(feedTimeMs: number): void {
    this.oldest = Math.max(this.oldest, Math.ceil(feedTimeMs / 1000));
    if (this.previous && this.previous.until < this.oldest) this.previous = undefined;
    const most = Math.max(SWEPT_MIN, this.marks.size * SWEPT_PART);
    for (let looked = 0; looked < most; looked += 1) {
      this.sweeper ??= this.marks.entries();
      const next = this.sweeper.next();
      if (next.done) {
        this.sweeper = undefined;
        return;
      }
      this.sweep(...next.value);
    }
  }

  /**
   * Everything that the authority had decided by then was applied. The last word counts, not the latest instant: once the
   * authority's clock was set back, an instant ahead of it would look fresh for ever.
   */
  vouch(readAtMs: number): void {
    this.readAt = readAtMs;
  }

  /** What the authority's clock said at that reading of ours, or later. */
  setClock(authority: number, at: Now): void {
    this.clock = { authority, at };
  }

  /** A snapshot was applied whole, and a fresh checkpoint followed. */
  ready(): void {
    this.isReady = true;
  }

  /**
   * How old the mirror is, in milliseconds. Nothing before it is ready, and while something that it could not keep may still
   * hit a token.
   */
  age(now: Now): number | undefined {
    const { clock, readAt, newest } = this;
    if (!this.isReady || !clock || readAt === undefined || !newest || this.lost > this.oldest)
      return undefined;
    return Math.max(this.authorityTime(now)! - readAt, 0);
  }

  /** What time it is at the authority, in milliseconds, as far as it was asked. */
  authorityTime(now: Now): number | undefined {
    return this.clock && this.clock.authority + elapsed(this.clock.at, now);
  }

  /** Under which names a token is looked up, in the order in which a reason is told: the narrowest first. */
  namesOf(token: Hittable, kid: Buffer | undefined): Names {
    const keys = [this.newest, this.previous?.key].filter((key) => key !== undefined);
    const digested = (kind: DigestedKind, value: string | undefined): Names =>
      value === undefined ? [] : keys.map((key) => [kind, digestOf(key, kind, value)] as const);
    return [
      ...(kid ? [["key", keyName(kid)] as const] : []),
      ...digested("session", token.sid),
      ...digested("token", token.jti),
      ...digested("subject", token.sub),
      ...digested("client", token.client_id),
      ["everything", EVERYTHING],
    ];
  }

  /** What is known against a token; the first revoked mark that hits decides, else the first stale one. */
  judge(names: Names, ver: Ver): Judgement | undefined {
    let stale: Judgement | undefined;
    for (const [kind, name] of names) {
      const marks = this.marks.get(slot(kind, name));
      if (!marks) continue;
      if (this.hits(marks.revoked, kind, ver))
        return { effect: "revoked", reason: marks.revoked!.reason };
      if (this.hits(marks.stale, kind, ver))
        stale ??= { effect: "stale", reason: marks.stale!.reason };
    }
    return stale;
  }

  /** What is known against a key, and so against all that it signed. */
  judgeKey(kid: Buffer): Judgement | undefined {
    return this.judge([["key", keyName(kid)]], [0, 0, 0, 0]);
  }

  private hits(mark: Mark | undefined, kind: Kind, ver: Ver): boolean {
    if (!mark || mark.expires_at < this.oldest) return false;
    return !mark.below || isBelow([ver[0], counterOf(kind, ver)], mark.below);
  }

  private add(entry: Entry): void {
    const { kind, name, effect, expires_at } = entry;
    if (expires_at < this.oldest) return;
    const at = slot(kind, name);
    const marks = this.marks.get(at);
    const mark = marks?.[effect];
    if (!mark && this.kept >= this.entriesMax) return this.lose(expires_at);
    this.latest = Math.max(this.latest, expires_at);
    if (mark && mark.expires_at >= this.oldest) return merge(mark, entry);
    if (!mark) this.kept += 1;
    const fresh = { below: entry.below, reason: entry.reason, expires_at };
    if (marks) marks[effect] = fresh;
    else this.marks.set(at, { [effect]: fresh });
  }

  private sweep(at: string, marks: Marks): void {
    for (const effect of ["revoked", "stale"] as const) {
      if (marks[effect] && marks[effect].expires_at < this.oldest) {
        delete marks[effect];
        this.kept -= 1;
      }
    }
    if (!marks.revoked && !marks.stale) this.marks.delete(at);
  }

  /** Something could not be kept, so that until it has ended nothing can be vouched for. */
  private lose(until: number): void {
    this.lost = Math.max(this.lost, until + 1);
  }
}

/** The highest bound and the latest end hold; the reason is that of the bound. */
function merge(mark: Mark, { below, reason, expires_at }: Entry): void {
  mark.expires_at = Math.max(mark.expires_at, expires_at);
  if (below && mark.below && isBelow(mark.below, below)) {
    mark.below = below;
    mark.reason = reason;
  }
}

const LETTER: Readonly<Record<Kind, string>> = {
  token: "t",
  session: "s",
  subject: "u",
  client: "c",
  key: "k",
  everything: "e",
};

const slot = (kind: Kind, name: string): string => LETTER[kind] + name;

/** The counter that a bound of that kind is compared with. */
function counterOf(kind: Kind, [, subject, client, everything]: Ver): number {
  switch (kind) {
    case "subject":
      return subject;
    case "client":
      return client;
    case "everything":
      return everything;
    case "token":
    case "session":
    case "key":
      return 0;
  }
}
