/** Readings of the clocks: an argument of everything that decides, so that a test may say what time it is. */

/**
 * What the clocks say, in milliseconds. Two of them, since they fail in different ways: a token's `exp` is an instant of the
 * calendar, but how old knowledge is must not depend on a wall clock that somebody may set back.
 */
export interface Now {
  /** The wall clock, since 1970: against it `exp`, `nbf` and `iat` are read. */
  readonly wall: number;
  /** A clock that never steps, since any point of its own. It may stand still while the machine is suspended. */
  readonly monotonic: number;
}

/** Reads the clocks of this machine. */
export const readNow = (): Now => ({ wall: Date.now(), monotonic: performance.now() });

/**
 * How far the two may part between two looks before the machine is taken to have been suspended. Inclusive: both are set a
 * little all the time.
 */
export const PARTED_MS_MAX = 2000;

/** How much time has passed: what the wall clock saw alone counts, since knowledge may look too old and never too young. */
export function elapsed(since: Now, now: Now): number {
  const steady = Math.max(now.monotonic - since.monotonic, 0);
  const wall = now.wall - since.wall;
  return wall - steady > PARTED_MS_MAX ? wall : steady;
}
