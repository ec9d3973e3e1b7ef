/** The authority's time, carried by a clock of ours that never steps. Milliseconds throughout. */

import { PARTED_MS_MAX, type Now } from "./now.js";

/** How often the authority is asked what time it is, at least. */
const ASK_EVERY_MS = 60_000;

/** Between two questions, whatever raised suspicion. */
const ASK_PAUSE_MS = 1000;

/**
 * Never behind the authority's own clock, as far as its signed words tell. What errs here errs towards a later time, so that
 * knowledge looks older than it is, never younger.
 */
export class AuthorityClock {
  /** The authority's time at a reading of ours. */
  private known: { said: number; at: number } | undefined;
  private askedAt = -Infinity;
  private answeredAt = -Infinity;
  private wall: Now | undefined;
  private suspects = false;

  /** What time it is at the authority, at the latest. */
  at({ monotonic }: Now): number | undefined {
    return this.known && this.known.said + Math.max(monotonic - this.known.at, 0);
  }

  /** Whether the authority ever answered. */
  get isKnown(): boolean {
    return this.answeredAt !== -Infinity;
  }

  /** Whether the authority should be asked. */
  isDue({ monotonic }: Now): boolean {
    const rested = monotonic - this.askedAt >= ASK_PAUSE_MS;
    return rested && (this.suspects || monotonic - this.answeredAt >= ASK_EVERY_MS);
  }

  ask({ monotonic }: Now): void {
    this.askedAt = monotonic;
  }

  /**
   * Takes an answer to a question that was sent at `asked`, even one that came slowly and therefore errs more than the last:
   * the authority's clock may have been set in between.
   *
   * `vouched` is the instant that the authority vouched for last: if its clock was set back behind that, what it vouched for
   * would look fresh until the clock has passed it again. So the time runs on as it was until the authority has vouched for
   * something by its new clock.
   */
  answer(said: number, asked: Now, vouched: number): void {
    this.suspects = said < vouched;
    this.answeredAt = asked.monotonic;
    if (this.suspects && this.known) return;
    this.known = { said: Math.max(said, vouched), at: asked.monotonic };
  }

  /** Hears what time it was when something was signed: it cannot be earlier now. */
  hear(said: number, now: Now): void {
    const at = this.at(now);
    if (at === undefined) return;
    if (at < said) this.known = { said, at: now.monotonic };
    this.suspects ||= at < said || at - said > PARTED_MS_MAX;
  }

  /** Compares the two clocks of this machine: where they part, it may have been suspended unnoticed. */
  tick(now: Now): void {
    const from = (this.wall ??= now);
    const ahead = now.wall - from.wall - Math.max(now.monotonic - from.monotonic, 0);
    if (Math.abs(ahead) <= PARTED_MS_MAX) return;
    // Until the answer is here, all that may have passed counts as passed.
    if (this.known) this.known.said += Math.max(ahead, 0);
    this.wall = now;
    this.suspects = true;
  }
}
