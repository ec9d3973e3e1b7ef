/** Waiting, so that a crowd of verifiers does not come as one. */

/** Between half and the whole of a span. */
export const jitter = (ms: number): number => ms * (0.5 + Math.random() / 2);

/** A wait that can be cut short. Nothing waits for it alone: a process that has nothing else to do may end. */
export class Bell {
  private rung = false;
  private wake: (() => void) | undefined;

  /** Ends the wait that is under way, or the next one at once. */
  ring(): void {
    this.rung = true;
    this.wake?.();
  }

  /** Waits so long, or until it is rung; says whether it was. */
  async wait(ms: number): Promise<boolean> {
    if (!this.rung)
      await new Promise<void>((done) => {
        const timer = setTimeout(done, ms);
        timer.unref();
        this.wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    this.wake = undefined;
    const was = this.rung;
    this.rung = false;
    return was;
  }
}

/** The first wait after a failure, and the longest. Inclusive. */
const FIRST_MS = 100;
const WAIT_MS_MAX = 5000;

/** Counts failures since something went well. */
export class Backoff {
  private failures = 0;

  reset(): void {
    this.failures = 0;
  }

  /** How long to wait after one more failure: between half and the whole of a doubled span. */
  next(): number {
    const span = Math.min(FIRST_MS * 2 ** Math.min(this.failures, 16), WAIT_MS_MAX);
    this.failures += 1;
    return jitter(span);
  }
}
