/** Who waits for the end of a session: WebSockets and streams, which no further request would close. */

import type { Claims } from "./claims.js";
import { isBelow, type Below, type Entry } from "./entry.js";
import type { Mirror } from "./mirror.js";
import { LEEWAY_MS_MAX } from "./policy.js";
import type { Reason } from "./reason.js";
import { digestOf, type TargetKey } from "./target.js";

/** How many may wait at once. Inclusive; one more is told at once that nobody watches for it. */
export const WATCHED_MAX = 1 << 17;

/** Why a session ended; nothing: nobody watches any more, and the caller should close or check again. */
export type Ended = Reason | undefined;

interface Watched {
  readonly claims: Claims;
  readonly tell: (ended: Ended) => void;
  targets: readonly string[];
  /** Its end may have been missed. */
  ask: boolean;
}

/** Those who wait. */
export class Sessions {
  private readonly watched = new Set<Watched>();
  private readonly byTarget = new Map<string, Set<Watched>>();
  private key: TargetKey | undefined;
  private listens: boolean;

  /** Somebody's session must be asked about. */
  unsure = () => {};

  constructor(private readonly mirror: Mirror) {
    this.listens = mirror.isFollowed;
  }

  get size(): number {
    return this.watched.size;
  }

  /** Resolves when the session ends, however often its tokens are renewed in between. */
  watch(claims: Claims, signal: AbortSignal | undefined): Promise<Ended> {
    if (!this.listens || this.watched.size >= WATCHED_MAX || signal?.aborted)
      return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const leave = () => this.end(one, undefined);
      const tell = (ended: Ended) => {
        signal?.removeEventListener("abort", leave);
        resolve(ended);
      };
      // So old a token that the mirror has forgotten what ended its session.
      const ask = claims.exp * 1000 + LEEWAY_MS_MAX < this.mirror.forgotten * 1000;
      const one: Watched = { claims, tell, targets: [], ask };
      signal?.addEventListener("abort", leave, { once: true });
      this.watched.add(one);
      this.index(one);
      this.lookUp(one);
      if (ask) this.unsure();
    });
  }

  /** Nothing will be heard any more. */
  close(): void {
    this.listens = false;
    for (const one of this.watched) this.end(one, undefined);
  }

  /** Ends what these revocations end. */
  hear(entries: readonly Entry[]): void {
    if (!this.watched.size) return;
    for (const { effect, kind, name, below, reason } of entries) {
      // A key's tokens are refused and renewed under another key; the session lives.
      if (effect !== "revoked" || kind === "key") continue;
      const hit = kind === "everything" ? this.watched : (this.byTarget.get(name) ?? []);
      for (const one of [...hit])
        if (!below || isBelow(counterOf(kind, one.claims), below)) this.end(one, reason);
    }
  }

  /** The feed was taken up by a snapshot: what ended in between may not be in it any more. */
  resync(key: TargetKey): void {
    if (this.key?.text !== key.text) {
      this.key = key;
      this.byTarget.clear();
      for (const one of this.watched) this.index(one);
    }
    for (const one of this.watched) {
      one.ask = true;
      this.lookUp(one);
    }
    this.unsure();
  }

  /** The names of up to so many sessions that must be asked about, each once. */
  toAsk(most: number): string[] {
    const sids = new Set<string>();
    for (const one of this.watched) {
      if (sids.size === most) break;
      // A client's own token has no session; its bounds are in the snapshot.
      if (one.ask && one.claims.sid !== undefined) sids.add(one.claims.sid);
      one.ask = false;
    }
    return [...sids];
  }

  /** The question about these failed. */
  askAgain(sids: readonly string[]): void {
    for (const one of this.ofSessions(sids)) one.ask = true;
  }

  /** The authority says that this one is over. */
  over(sid: string, reason: Reason): void {
    for (const one of this.ofSessions([sid])) this.end(one, reason);
  }

  private ofSessions(sids: readonly string[]): Watched[] {
    const { key } = this;
    if (!key) return [];
    return sids.flatMap((sid) => [...(this.byTarget.get(digestOf(key, "session", sid)) ?? [])]);
  }

  private lookUp(one: Watched): void {
    const { claims } = one;
    const judged = this.mirror.judge(this.mirror.namesOf(claims, undefined), claims.ver);
    if (judged?.effect === "revoked") this.end(one, judged.reason);
  }

  private end(one: Watched, ended: Ended): void {
    if (!this.watched.delete(one)) return;
    for (const target of one.targets) {
      const others = this.byTarget.get(target);
      others?.delete(one);
      if (!others?.size) this.byTarget.delete(target);
    }
    one.tell(ended);
  }

  private index(one: Watched): void {
    const { key } = this;
    if (!key) return;
    const { jti, sub, client_id, sid } = one.claims;
    one.targets = [
      digestOf(key, "token", jti),
      digestOf(key, "subject", sub),
      digestOf(key, "client", client_id),
      ...(sid === undefined ? [] : [digestOf(key, "session", sid)]),
    ];
    for (const target of one.targets) {
      const others = this.byTarget.get(target) ?? new Set();
      this.byTarget.set(target, others.add(one));
    }
  }
}

/** What a bound of that kind is compared with. */
function counterOf(kind: Entry["kind"], { ver }: Claims): Below {
  const [store, subject, client, everything] = ver;
  return [store, kind === "subject" ? subject : kind === "client" ? client : everything];
}
