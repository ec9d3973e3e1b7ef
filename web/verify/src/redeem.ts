/** Using up what is good once: whether it was used, at this service or another, only the authority knows. */

import { utf8 } from "./base64url.js";
import { FetchError, within, type Http, type Told } from "./http.js";
import * as json from "./json.js";
import { Malformed } from "./malformed.js";
import { OPEN_MAX, Places, WAITING_MAX } from "./questions.js";
import { reasonOf } from "./reason.js";
import { Rejected } from "./rejected.js";

/** How long a request waits, its turn included, in milliseconds. Inclusive. */
const ANSWER_MS_MAX = 2000;

/** The longest ticket, in characters. Inclusive; the authority's own are shorter. */
const TICKET_MAX = 256;

/** The way to where tokens and tickets are used up. */
export class Redeemer {
  private readonly waiting = new Places(WAITING_MAX);
  private readonly open = new Places(OPEN_MAX);

  constructor(
    private readonly http: Http,
    private readonly apiKey: string,
    private readonly at: (path: string) => string,
    private readonly failed: (why: FetchError) => void,
  ) {}

  /** Uses up a genuine token for one use. No two requests share an answer: it is good for one of them. */
  async token(token: string): Promise<void> {
    const { kind, word, isActive } = await this.ask("/v1/tokens/redeem", { token });
    switch (kind) {
      case 200:
        if (isActive) return;
        throw AWAY();
      case 400:
        throw new Rejected({ is: "untrusted", what: "signature" });
      case 409:
        if (word === "expired" || word === "stale") throw new Rejected({ is: word });
        throw new Rejected({ is: "used" });
    }
  }

  /** Redeems a ticket for an audience: the access token that it earns. */
  async ticket(ticket: string, audience: string): Promise<string> {
    if (!isTicket(ticket)) throw FORGED();
    const { kind, token } = await this.ask("/v1/tickets/redeem", { ticket, audience });
    switch (kind) {
      case 200:
        if (token === undefined) throw AWAY();
        return token;
      case 400:
        throw FORGED();
      case 409:
        throw new Rejected({ is: "expired" });
    }
  }

  /** Asks, and throws what means the same of both. */
  private async ask(path: string, json: object): Promise<Read> {
    if (!this.waiting.tryTake()) throw AWAY();
    try {
      const told = await within(ANSWER_MS_MAX, this.inTurn(path, json));
      return same(told, (status) => this.failed(new FetchError("status", status)));
    } catch (why) {
      if (why instanceof Rejected) throw why;
      this.failed(why instanceof FetchError ? why : new FetchError("unreachable"));
      throw AWAY();
    } finally {
      this.waiting.leave();
    }
  }

  private async inTurn(path: string, json: object): Promise<Told> {
    const until = performance.now() + ANSWER_MS_MAX;
    await this.open.take();
    try {
      // What nobody waits for any more uses up nothing.
      if (until <= performance.now()) throw new FetchError("late");
      const { http, apiKey } = this;
      return await http.told({ url: this.at(path), apiKey, json, deadlineMs: ANSWER_MS_MAX });
    } finally {
      this.open.leave();
    }
  }
}

/** An answer, as far as it is looked at. */
interface Read {
  readonly kind: 200 | 400 | 409;
  /** What is wrong, of `urn:symbolon:…`. */
  readonly word: string | undefined;
  readonly isActive: boolean;
  readonly token: string | undefined;
}

/** What means the same of tokens and of tickets is thrown. */
function same(told: Told, refused: (status: number) => void): Read {
  const { status } = told;
  const object = objectOf(told.body);
  const text = (name: string) => {
    const raw = object?.get(name);
    return raw?.startsWith('"') ? json.string(raw, name) : undefined;
  };
  const word = text("type")?.replace(/^urn:symbolon:/, "");
  if (status === 404) throw new Rejected({ is: "revoked", ended: undefined });
  if (status === 409 && word === "session-ended")
    throw new Rejected({ is: "revoked", ended: reasonOf(text("reason")) });
  const isActive = object?.get("active") === "true";
  if (status === 200 || status === 400 || status === 409)
    return { kind: status, word, isActive, token: text("access_token") };
  // 401 and 403: the API key does not allow it.
  refused(status);
  throw AWAY();
}

function objectOf(body: Buffer): json.Members | undefined {
  try {
    return json.members(utf8(body, "answer"), "answer");
  } catch (why) {
    if (why instanceof Malformed) return undefined;
    throw why;
  }
}

const isTicket = (text: string): boolean =>
  text.length <= TICKET_MAX && /^sym_tk_[A-Za-z0-9_-]*$/.test(text);

const FORGED = () =>
  new Rejected({ is: "malformed", why: "ticket: is not a ticket of this authority" });

/** As if nobody had answered. */
const AWAY = () => new Rejected({ is: "unverifiable", what: "session" });
