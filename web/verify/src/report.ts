/** What is told to the authority beside following: what was applied, and which open sessions to ask about after a gap. */

import { utf8 } from "./base64url.js";
import type { Follower } from "./follower.js";
import { FetchError, type Http } from "./http.js";
import type { Mirror } from "./mirror.js";
import type { Now } from "./now.js";
import { reasonOf, type Reason } from "./reason.js";
import { Bell, jitter } from "./rest.js";
import type { Sessions } from "./sessions.js";

/** The least between two reports, but for those that somebody waits for. Inclusive. */
const REPORT_MS_MIN = 300;

/** How long after somebody asked for a report each further revocation is reported at once: what they wait for may follow. */
const PROMPT_MS = 2000;

/** How long an answer may take, and its length. Inclusive. */
const ANSWER_MS_MAX = 5000;
const ANSWER_BYTES_MAX = 1024 * 1024;

/** How many sessions are asked about in one call. Inclusive; the authority refuses more. */
const SIDS_MAX = 1000;

/** Between tries to ask about sessions. */
const ASK_AGAIN_MS = 2000;

/** What is told, and to whom. */
export interface ReportParts {
  readonly http: Http;
  readonly apiKey: string;
  readonly follower: Follower;
  readonly mirror: Mirror;
  readonly sessions: Sessions;
  readonly instance: string;
  readonly maxStalenessMs: number;
  readonly offlineRoutes: number;
  at(path: string): string;
  now(): Now;
  failed(why: FetchError): void;
}

/** Tells the authority what was applied, on time and when somebody waits (`POST /v1/feed/applied`). */
export class Reporter {
  private readonly due = new Bell();
  private readonly unsure = new Bell();
  private promptUntil = -Infinity;
  private closed = false;

  constructor(private readonly parts: ReportParts) {}

  start(): void {
    void this.report();
    void this.askForTheEnded();
  }

  close(): void {
    this.closed = true;
    this.due.ring();
    this.unsure.ring();
  }

  /** Somebody waits for a report, or something was applied that they may wait for. */
  heard(asked: boolean, applied: boolean): void {
    const now = performance.now();
    if (asked) this.promptUntil = now + PROMPT_MS;
    if (asked || (applied && now < this.promptUntil)) this.due.ring();
  }

  /** Reports at once. */
  soon(): void {
    this.due.ring();
  }

  /** Somebody's session must be asked about. */
  isUnsure(): void {
    this.unsure.ring();
  }

  private async report(): Promise<void> {
    const every = Math.max(this.parts.maxStalenessMs / 3, REPORT_MS_MIN);
    while (!this.closed) {
      await this.due.wait(every);
      const { mirror, follower, instance, maxStalenessMs, offlineRoutes, now } = this.parts;
      const [age, cursor] = [mirror.age(now()), follower.tip?.text];
      // Nothing before the mirror is whole: until then nobody is let in by it.
      if (this.closed || age === undefined || cursor === undefined) continue;
      await this.post("/v1/feed/applied", {
        instance,
        cursor,
        max_staleness_ms: maxStalenessMs,
        offline_routes: offlineRoutes,
        age_ms: Math.ceil(age),
      });
    }
  }

  /** After a resync asks about the sessions whose end somebody waits for (`POST /v1/feed/ended`). */
  private async askForTheEnded(): Promise<void> {
    const { sessions } = this.parts;
    let [failed, sids]: [boolean, readonly string[]] = [false, []];
    while (!this.closed) {
      // There may be more than one call takes.
      if (failed || !sids.length) await this.unsure.wait(jitter(ASK_AGAIN_MS));
      sids = this.closed ? [] : sessions.toAsk(SIDS_MAX);
      if (!sids.length) continue;
      const answer = await this.post("/v1/feed/ended", { sids });
      failed = answer === undefined;
      if (answer) for (const [sid, reason] of endedIn(answer)) sessions.over(sid, reason);
      else sessions.askAgain(sids);
    }
  }

  private async post(path: string, json: object): Promise<Buffer | undefined> {
    const { http, apiKey, at, failed } = this.parts;
    const limits = { deadlineMs: ANSWER_MS_MAX, bytesMax: ANSWER_BYTES_MAX };
    try {
      return await http.call({ url: at(path), apiKey, json, ...limits });
    } catch (why) {
      if (!this.closed) failed(why instanceof FetchError ? why : new FetchError("unreachable"));
      return undefined;
    }
  }
}

/** The sessions that an answer says are over. An unknown reason is an end all the same. */
function endedIn(answer: Buffer): (readonly [string, Reason])[] {
  const { ended } = read(answer);
  return (Array.isArray(ended) ? (ended as Said[]) : []).flatMap((one) =>
    typeof one?.session_id === "string"
      ? [[one.session_id, reasonOf(one.reason) ?? "admin"] as const]
      : [],
  );
}

interface Said {
  readonly session_id?: unknown;
  readonly reason?: unknown;
}

function read(answer: Buffer): { readonly ended?: unknown } {
  try {
    return (JSON.parse(utf8(answer, "answer")) ?? {}) as { readonly ended?: unknown };
  } catch {
    return {};
  }
}
