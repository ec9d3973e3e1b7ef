/**
 * What a page needs once something does not go as it mostly does. Not in the core: it is fetched beside the first
 * renewal, which does not wait for it, so that it is there also when the site was replaced by a newer one since.
 */

import type { Outcome } from "./authority.js";
import { type Answer, isStale, verdictOf } from "./challenge.js";
import type { Client, Performs } from "./client.js";
import { Misconfigured, SessionEnded, Unavailable } from "./errors.js";
import type { State } from "./machine.js";
import { refusalOf, retryMsOf } from "./refusal.js";
import type { Kept } from "./storage.js";
import type { Tokens } from "./tokens.js";
import { isVisible, onWake } from "./wake.js";
import { endingOf } from "./warning.js";

/** For how long a service that refused a new token too is not renewed for; longer each time, up to the second. */
const DOUBT_MS = 10_000;
const DOUBT_MS_MAX = 300_000;

/** The most requests that wait for a sign-in. Inclusive; further ones are refused as unavailable. */
const RESUMING_MAX = 1000;

/** The first wait after a failure, and the longest. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;

/** The longest that a timer can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** What is done about it. */
export interface Trouble extends Performs<"wake" | "hold" | "drop"> {
  /** Whether a request is to be sent again, after an answer to these tokens; `again` if it was already. */
  isCured(origin: string, answer: Answer, tokens: Tokens, again: boolean): Promise<boolean>;
  /**
   * What it means that nothing was renewed, after what was kept was shown. No answer is `null`; `undefined`, where there
   * was nothing to ask with.
   */
  outcomeOf(answer: Answer | null | undefined, kept: Kept | undefined): Promise<Outcome>;
  /** Looks at what came of telling the authority that somebody signed out; of a token that was stored, tells it. */
  mustBeTold(asked: Promise<Response | Kept | undefined>): Promise<void>;
  /** Throws: the body of a request is a stream. */
  refuseStream(): never;
  /**
   * Whether a request without a token may hope for one again; not, where nobody is signed in. Throws if it must not be
   * sent at all. `waited` if it hoped before; a sign-in waits for none.
   */
  isResumed(state: State, waited: boolean, isSignIn?: boolean): Promise<boolean>;
  /** What to do when the client is taken down; at once, if it was. */
  onStop(act: () => void): void;
  stop(): void;
}

/** Begins: also the page's waking is seen from now on. */
export function trouble({ rim, on, signIn }: Client): Trouble {
  const { options, tell, emit, clock } = rim;
  /** Origins that refused a token which was renewed for them: another renewal would not help. */
  const doubts = new Map<string, { readonly ms: number; readonly until: number }>();
  let timer: ReturnType<typeof setTimeout>;
  let isStopped = false;
  /** While the page signs in again. */
  let holding: Promise<unknown> | undefined;
  /** How many requests wait for that. */
  let resuming = 0;
  const woke = () => tell({ is: "woke" });
  const stops = [onWake(woke), () => clearTimeout(timer)];
  on("renewed", () => {
    const { held } = rim.state;
    const inMs = held && endingOf(held, clock());
    if (inMs !== undefined) emit({ "ending-soon": { inMs } });
  });

  return {
    async isCured(origin, answer, { access_token: token }, again) {
      const verdict = (await options.classify?.(answer)) ?? verdictOf(answer);
      if (verdict === "pass") {
        if (again && answer.status < 400) doubts.delete(origin);
        return false;
      }
      if (verdict !== "renew") {
        emit({ "step-up": verdict });
        return !again && !!(await options.onStepUp?.(verdict));
      }
      const doubt = doubts.get(origin) ?? { ms: DOUBT_MS / 2, until: 0 };
      if (clock() < doubt.until) return false;
      if (!again) {
        tell({ is: "spent", token, stale: isStale(answer) });
        return true;
      }
      const ms = Math.min(doubt.ms * 2, DOUBT_MS_MAX);
      doubts.set(origin, { ms, until: clock() + ms });
      return false;
    },
    async outcomeOf(answer, kept) {
      const backOff =
        Math.min(RETRY_MS * 2 ** rim.state.failures, RETRY_MS_MAX) * (0.5 + Math.random() / 2);
      const failed = (why?: string): Outcome => ({
        is: "failed",
        retryMs: Math.max(answer ? retryMsOf(answer) : 0, backOff),
        why,
      });
      if (answer === null) return failed();
      try {
        const { isOver, end, why } = answer ? await refusalOf(answer) : { isOver: true };
        // What is said of a refresh token that another tab replaced meanwhile says nothing.
        const isReplaced = isOver && (await rim.load())?.refresh !== kept?.refresh;
        return isOver && !isReplaced ? { is: "denied", end } : failed(why);
      } catch {
        return failed();
      }
    },
    wake(ms) {
      clearTimeout(timer);
      // A page that nobody looks at is not kept alive by a timer.
      const look = () => (rim.state.failures || isVisible()) && woke();
      if (!isStopped) timer = setTimeout(look, Math.min(ms!, TIMER_MS_MAX));
    },
    hold(end) {
      // What a sign-in under way is told, it hears itself; a second dialog would come of it, and a third.
      if (holding) return;
      const signInAgain = async () => {
        const tokens = await options.onSessionEnded?.(end!);
        if (tokens) await signIn(tokens);
      };
      holding = signInAgain().finally(() => (holding = undefined));
    },
    async drop(held) {
      const kept = await rim.load();
      if (kept && kept.refresh === held?.tokens.refresh_token) await options.storage?.clear?.();
    },
    async mustBeTold(asked) {
      let answer: Response | undefined;
      try {
        const told = await asked;
        if (!told) return;
        answer = "refresh" in told ? await rim.send("revoke", { token: told.refresh }) : told;
      } catch {}
      if (!answer?.ok) throw new Unavailable("The authority was not told.");
    },
    refuseStream() {
      throw new TypeError("A stream cannot be sent again; send a Blob, a string or a buffer.");
    },
    async isResumed(state, waited, isSignIn) {
      const { phase, why, end } = state;
      if (why) throw new Misconfigured(why);
      if ((!end && phase !== "signed-out") || resuming >= RESUMING_MAX)
        throw new Unavailable("The authority does not answer.");
      if (holding && !isSignIn) {
        resuming++;
        await holding.catch(() => {});
        resuming--;
        return true;
      }
      if (end && (waited || phase !== "signed-out")) throw new SessionEnded(end);
      return false;
    },
    onStop: (act) => void (isStopped ? act() : stops.push(act)),
    stop() {
      isStopped = true;
      for (const stop of stops) stop();
    },
  };
}
