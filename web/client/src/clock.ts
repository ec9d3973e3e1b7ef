/** Time as a page can trust it. */

/**
 * Milliseconds since it was made: never backwards, and counting sleep. The monotonic clock stops while some machines
 * sleep, and the wall clock may be set; whichever moved further since the last look is believed, so that a wrong
 * clock costs one early renewal at most.
 */
export function stopwatch(
  mono = () => (globalThis.performance ?? Date).now(),
  wall = () => Date.now(),
): () => number {
  let [lastMono, lastWall, total] = [mono(), wall(), 0];
  return () => {
    const [atMono, atWall] = [mono(), wall()];
    total += Math.max(atMono - lastMono, atWall - lastWall, 0);
    [lastMono, lastWall] = [atMono, atWall];
    return total;
  };
}
