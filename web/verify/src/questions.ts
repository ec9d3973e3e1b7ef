/** Asking the authority about a token (RFC 7662). */

import { utf8 } from "./base64url.js";
import { claimsOf, type Claims } from "./claims.js";
import { FetchError, within, type Http } from "./http.js";
import * as json from "./json.js";
import { Malformed } from "./malformed.js";

/** How many requests may wait for an answer. Inclusive; one more is refused at once. */
export const WAITING_MAX = 1024;

/** How many questions may be open at once, over all tokens. Inclusive. */
export const OPEN_MAX = 64;

/**
 * Which part of either may be about tokens of which nothing is known but their form: an opaque token cannot be told from a
 * stranger's text without asking, and such text must not keep others from being asked about.
 */
const STRANGERS = 0.5;

/** How long a request waits, its turn included. Inclusive. */
const ANSWER_MS_MAX = 2000;

/** What the authority says of a token. */
export type Answer =
  /** It is in force and stands for these claims; or for none, by another kind of authority. */
  | { readonly is: "active"; readonly claims: Claims | undefined }
  /** It is not; introspection tells no reason. */
  | { readonly is: "inactive" }
  /** It could not be said. */
  | { readonly is: "none" };

const NONE: Answer = { is: "none" };

/** Until when anybody waits for an answer: a question whose turn comes later is not sent. */
interface Wish {
  until: number;
}

/** The question that is open about a token, and the one that follows for who came meanwhile. */
interface Line {
  readonly open: Promise<Answer>;
  next: { readonly wish: Wish; readonly answer: Promise<Answer> } | undefined;
}

/**
 * The questions that are open, one at a time for each token: requests that come while one is open do not take its answer, which
 * may be older than they are, but share the next one. So nobody is let in by an answer whose question was sent before the
 * request came.
 */
export class Questions {
  private readonly lines = new Map<string, Line>();
  private readonly waiting: Places;
  private readonly strangersWaiting: Places;
  private readonly opened: Places;
  private readonly strangersOpened: Places;

  constructor(
    private readonly http: Http,
    private readonly apiKey: string,
    private readonly failed: (why: FetchError) => void,
  ) {
    this.waiting = new Places(WAITING_MAX);
    this.strangersWaiting = new Places(WAITING_MAX * STRANGERS);
    this.opened = new Places(OPEN_MAX);
    this.strangersOpened = new Places(OPEN_MAX * STRANGERS);
  }

  /** Asks about a token that was verified (`isKnown`), or that has the form of an opaque one: no other text gets here. */
  async ask(url: string, token: string, isKnown: boolean): Promise<Answer> {
    const places = isKnown ? [this.waiting] : [this.strangersWaiting, this.waiting];
    const taken = places.filter((place) => place.tryTake());
    try {
      if (taken.length < places.length) return NONE;
      return await within(ANSWER_MS_MAX, this.inTurn(url, token, isKnown));
    } catch {
      return NONE;
    } finally {
      for (const place of taken) place.leave();
    }
  }

  private inTurn(url: string, token: string, isKnown: boolean): Promise<Answer> {
    const until = performance.now() + ANSWER_MS_MAX;
    const line = this.lines.get(token);
    if (!line) return this.begin(url, token, isKnown, { until });
    if (line.next) {
      line.next.wish.until = until;
      return line.next.answer;
    }
    const wish = { until };
    const answer = line.open.then(() => this.begin(url, token, isKnown, wish));
    line.next = { wish, answer };
    return answer;
  }

  private begin(url: string, token: string, isKnown: boolean, wish: Wish): Promise<Answer> {
    const open = this.question(url, token, isKnown, wish);
    const line: Line = { open, next: undefined };
    this.lines.set(token, line);
    void open.then(() => {
      // Whoever waits for its turn takes the place of this one.
      if (!line.next && this.lines.get(token) === line) this.lines.delete(token);
    });
    return open;
  }

  private async question(
    url: string,
    token: string,
    isKnown: boolean,
    wish: Wish,
  ): Promise<Answer> {
    const places = isKnown ? [this.opened] : [this.strangersOpened, this.opened];
    for (const place of places) await place.take();
    try {
      if (wish.until <= performance.now()) return NONE;
      const form = new URLSearchParams({ token, token_type_hint: "access_token" });
      const { http, apiKey } = this;
      return answerOf(await http.call({ url, apiKey, form, deadlineMs: ANSWER_MS_MAX }));
    } catch (why) {
      this.failed(why instanceof FetchError ? why : new FetchError("unreachable"));
      return NONE;
    } finally {
      for (const place of places) place.leave();
    }
  }
}

/** Only `true` is yes and only `false` is no (RFC 7662 §2.2); what is neither is no answer. */
function answerOf(body: Buffer): Answer {
  try {
    const text = utf8(body, "answer");
    const active = json.members(text, "answer").get("active");
    if (active === "false") return { is: "inactive" };
    return active === "true" ? { is: "active", claims: toldOf(text) } : NONE;
  } catch (why) {
    if (why instanceof Malformed) return NONE;
    throw why;
  }
}

function toldOf(text: string): Claims | undefined {
  try {
    return claimsOf(text, ["active", "token_type"]);
  } catch (why) {
    if (why instanceof Malformed) return undefined;
    throw why;
  }
}

/** A number of places. */
export class Places {
  private readonly queue: (() => void)[] = [];

  constructor(private free: number) {}

  tryTake(): boolean {
    if (this.free < 1) return false;
    this.free -= 1;
    return true;
  }

  async take(): Promise<void> {
    if (!this.tryTake()) await new Promise<void>((turn) => this.queue.push(turn));
  }

  leave(): void {
    const turn = this.queue.shift();
    if (turn) turn();
    else this.free += 1;
  }
}
