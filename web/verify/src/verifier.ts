/** Verifies access tokens of one issuer for one audience. */

import { Activity } from "./activity.js";
import { ask, type Asking } from "./ask.js";
import { Cache } from "./cache.js";
import { isOpaque, look, opened, type Expected, type Looked } from "./check.js";
import type { Claims } from "./claims.js";
import { noncesOf, noncesOfFeed, Proofs } from "./dpop.js";
import type { Mode } from "./feed.js";
import { lookTold } from "./told.js";
import { within, type FetchError } from "./http.js";
import { openerOf } from "./jwe.js";
import { parseKeySet } from "./jwk.js";
import { Keyring } from "./keyring.js";
import { Mirror } from "./mirror.js";
import { netOf, type Trouble } from "./net.js";
import { readNow, type Now } from "./now.js";
import { settled, type Options } from "./options.js";
import { bounded, permit, type Policy } from "./policy.js";
import { bearer, type Presented } from "./presented.js";
import { Rejected } from "./rejected.js";
import { Sessions, type Ended } from "./sessions.js";

/** How long a request waits for keys that it needs. Inclusive. */
const KEYS_MS_MAX = 2000;

/** How long `connect` waits for the feed. Inclusive. */
const READY_MS_MAX = 10_000;

/** A good token: it was good when it was checked. */
export interface Verified {
  readonly claims: Claims;
  /**
   * Resolves when the session ends, however often its tokens are renewed in between: with the reason, or with nothing when
   * nobody watches any more and the caller should close or check again. `signal` ends the watch.
   *
   * Nothing comes at once without a feed, beyond 131,072 waiting, and when the verifier is closed. While the authority cannot
   * be heard nothing resolves; nor does it at the token's `exp`, which a renewal would outlive.
   */
  ended(signal?: AbortSignal): Promise<Ended>;
}

/** Who came with a ticket, and the access token that it earned. */
export interface Redeemed extends Verified {
  /** For this audience alone: for whoever must check again, as a socket does that stays open. Show it to nobody else. */
  readonly token: string;
}

/** How a verifier is doing, for metrics and for health checks. */
export interface Status {
  /** How the feed is followed. */
  readonly mode: Mode;
  /** How old the knowledge of revocations is, in milliseconds; nothing before it is whole. */
  readonly ageMs: number | undefined;
  /** The authority's store epoch, and how many revocations of its feed were applied. */
  readonly epoch: number | undefined;
  readonly position: number | undefined;
  /** How many revocations the mirror holds. */
  readonly entries: number;
  /** How often a token was found verified already. */
  readonly cacheHits: number;
  /** How often the feed had to be taken up by a snapshot again. */
  readonly resyncs: number;
  /** How many wait for the end of a session. */
  readonly watched: number;
  /** How many sessions were used and wait to be reported, and how many were forgotten untold; see `reportActivity`. */
  readonly usesWaiting: number;
  readonly usesDropped: number;
  /** How many requests were let in without a good proof of the key that their token is bound to. */
  readonly bindingsReported: number;
  /** How many requests were rejected, by the word of their reason, or of their refusal where that has none. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** Verifies access tokens of one issuer for one audience. */
export interface Verifier {
  /**
   * Checks a token, without I/O. Throws a `Rejected`: with `ask` in its refusal where only the authority can tell whether the
   * session lives, which `admit` asks. The policy by default: `bounded(5_000)`.
   */
  check(presented: Presented | string, policy?: Policy): Verified;
  /** The same, and asks the authority where it must. Rejects with a `Rejected`. */
  admit(presented: Presented | string, policy?: Policy): Promise<Verified>;
  /**
   * Redeems a ticket that came in place of a header, for a WebSocket, an EventSource or a download, and checks the token that it
   * earned. Needs an API key. The authority is asked each time, since a ticket is good for one use across all services: take it
   * from a parameter named `ticket` of the few routes that need it, and keep that out of your logs.
   *
   * Rejects with a `Rejected`: `expired` says that it was used or is over, and that another must be asked for.
   */
  redeem(ticket: string, policy?: Policy): Promise<Redeemed>;
  /** Resolves when the first keys have come and, with a feed, all that is revoked is known; rejects once it is closed. */
  ready(): Promise<void>;
  /** Whether tokens can be verified here. */
  isReady(): boolean;
  /** Puts other keys, a JWK Set, in the place of all that are known. */
  replaceKeys(keys: string): void;
  status(): Status;
  /** Lets go of the network; nobody is told of ended sessions any more. */
  close(): void;
}

/**
 * A verifier that knows everything it needs, ten seconds later at the most. Rejects if the first keys cannot be fetched, if the
 * authority refuses the API key, and if the feed is not whole by then.
 */
export function connect(options: Options): Promise<Verifier> {
  return new Promise((resolve, reject) => {
    let last: FetchError | undefined;
    const refused = (why: unknown) => {
      verifier.close();
      reject(why);
    };
    const verifier = made(options, (what, why) => {
      last = why;
      if (what === "keys" || [401, 403, 404].includes(why.status ?? 0)) refused(why);
    });
    within(READY_MS_MAX, verifier.ready()).then(
      () => resolve(verifier),
      (late: unknown) => refused(last ?? late),
    );
  });
}

/**
 * A verifier that is there at once, for a service that starts beside its authority, in any order: until the first keys have come,
 * which is tried again and again, no token is let in; and until the feed is whole every request is asked about.
 */
export const createVerifier = (options: Options): Verifier => made(options, () => {});

function made(given: Options, told: (what: Trouble, why: FetchError) => void): Verifier {
  const options = settled(given);
  const { issuer, nonceSecret, log, now = readNow } = options;
  const counts = { hits: 0, reported: 0, rejected: {} as Record<string, number> };
  const mirror = new Mirror(options.feed !== undefined);
  const sessions = new Sessions(mirror);
  const keyring = new Keyring();
  const activity = options.reportActivity ? new Activity() : undefined;
  const failed = (what: Trouble) => (why: FetchError) => {
    told(what, why);
    if (why.status === 401 || why.status === 403)
      log?.error(`${TROUBLES[what]}: the API key needs revocations:read (${issuer})`);
    else log?.warn(`${TROUBLES[what]}: ${why.message} (${issuer})`);
  };
  const net =
    options.keys === undefined
      ? netOf(options, { keyring, mirror, sessions, activity, now, failed })
      : undefined;
  if (options.keys !== undefined) keyring.replace(parseKeySet(options.keys));
  const own = nonceSecret && noncesOf(Buffer.from(nonceSecret));
  const lent = () => own ?? (mirror.targetKey && noncesOfFeed(mirror.targetKey));
  const of: Expected = {
    ...options,
    open: options.decryptWith && openerOf(options.decryptWith),
    requireEncrypted: options.requireEncrypted === true,
    keyring,
    mirror,
    cache: new Cache(options.cache),
    proofs: new Proofs(options.publicUrl, lent),
    asks: net?.asks === true,
    reported: () => void (counts.reported += 1),
    hit: () => void (counts.hits += 1),
  };
  const asking: Asking = { of, now, ask: (token, isKnown) => net!.ask(token, isKnown) };

  /** What the token itself can tell, and what is known of its session. */
  function looked(presented: Presented, policy: Policy): Looked {
    const at = now();
    return (isOpaque(presented.token) ? lookTold : look)(of, presented, policy, at);
  }

  /** The same with keys as new as they may be had. */
  async function lookedAnew(presented: Presented, policy: Policy): Promise<Looked> {
    try {
      return looked(presented, policy);
    } catch (why) {
      if (!net || !isOfKeys(why)) throw notOurs(why, !net);
      await within(KEYS_MS_MAX, net.keys.newer()).catch(() => {});
      try {
        return looked(presented, policy);
      } catch (still) {
        // A key that is still unknown after a good look is no key of the issuer; after a failed one, who knows.
        throw notOurs(still, net.keys.lookedLately);
      }
    }
  }

  async function lookedOrAsked(presented: Presented, policy: Policy): Promise<Looked> {
    let signed: Looked | undefined;
    try {
      signed = await lookedAnew(presented, policy);
    } catch (why) {
      if (!(why instanceof Rejected) || why.refusal.is !== "ask") throw why;
    }
    if (signed && (signed.standing?.refusal.is !== "ask" || signed.claims.one_use)) return signed;
    if (!of.asks) throw new Rejected({ is: "unverifiable", what: "session" });
    // An opaque token says nothing itself, whatever was told of it.
    return ask(asking, presented, policy, isOpaque(presented.token) ? undefined : signed);
  }

  function letIn({ claims, proof, standing }: Looked, policy: Policy): Verified {
    if (standing) throw standing;
    const at = now();
    permit(policy, claims, at.wall);
    of.proofs.spend(proof, at);
    return noted(claims, at);
  }

  /**
   * Uses up a genuine token that is for one use, for a request that it suffices for. Its proof goes first: whoever repeats one
   * that was overheard uses up nothing by it.
   */
  async function letInOnce(token: string, { claims, proof }: Looked, policy: Policy) {
    const redeemer = net?.redeemer;
    // It would be let in without the roles that it leaves out; our authority issues none such.
    if (!redeemer || claims.rights !== undefined)
      throw new Rejected({ is: "unverifiable", what: "session" });
    const at = now();
    permit(policy, claims, at.wall);
    of.proofs.spend(proof, at);
    // The authority cannot open what it sealed for somebody else's key; it knows what it signed.
    await redeemer.token(opened(of, token));
    return noted(claims, now());
  }

  async function admitted(presented: Presented, policy: Policy): Promise<Verified> {
    const found = await lookedOrAsked(presented, policy);
    const isOnce = found.claims.one_use && found.standing?.refusal.is === "ask";
    return isOnce ? letInOnce(presented.token, found, policy) : letIn(found, policy);
  }

  function noted(claims: Claims, at: Now): Verified {
    // The authority counts no use that its own clock has not come to.
    if (claims.sid) activity?.mark(claims.sid, mirror.authorityTime(at) ?? at.wall);
    return { claims, ended: (signal) => sessions.watch(claims, signal) };
  }

  function counted(why: unknown): unknown {
    if (why instanceof Rejected) {
      const word = why.reason ?? why.refusal.is;
      counts.rejected[word] = (counts.rejected[word] ?? 0) + 1;
    }
    return why;
  }

  return {
    check(presented, policy = DEFAULT) {
      try {
        return letIn(looked(shown(presented), policy), policy);
      } catch (why) {
        if (net && isOfKeys(why)) net.keys.want();
        throw counted(notOurs(why, !net));
      }
    },
    async admit(presented, policy = DEFAULT) {
      try {
        return await admitted(shown(presented), policy);
      } catch (why) {
        throw counted(why);
      }
    },
    async redeem(ticket, policy = DEFAULT) {
      try {
        const redeemer = net?.redeemer;
        if (!redeemer) throw new Rejected({ is: "unverifiable", what: "session" });
        const token = await redeemer.ticket(ticket, options.audience);
        return { ...(await admitted(bearer(token), policy)), token };
      } catch (why) {
        throw counted(why);
      }
    },
    ready: async () => net?.ready(),
    isReady: () =>
      keyring.current !== undefined && (!options.feed || mirror.age(now()) !== undefined),
    replaceKeys: (keys) => keyring.replace(parseKeySet(keys)),
    status: () => ({
      mode: net?.mode ?? "off",
      ageMs: mirror.age(now()),
      epoch: net?.tip?.epoch,
      position: net?.tip?.position,
      entries: mirror.size,
      cacheHits: counts.hits,
      resyncs: net?.resyncs ?? 0,
      watched: sessions.size,
      usesWaiting: activity?.size ?? 0,
      usesDropped: activity?.dropped ?? 0,
      bindingsReported: counts.reported,
      rejected: { ...counts.rejected },
    }),
    close() {
      net?.close();
      sessions.close();
    },
  };
}

const DEFAULT = bounded(5000);

const TROUBLES: Readonly<Record<Trouble, string>> = {
  keys: "keys could not be fetched",
  feed: "the feed is not heard",
  questions: "a token could not be asked about",
  redeeming: "what is good once could not be redeemed",
  reports: "what was applied could not be reported",
  activity: "the use of sessions could not be reported",
};

const shown = (presented: Presented | string): Presented =>
  typeof presented === "string" ? bearer(presented) : presented;

/** Whether newer keys may make a difference. */
const isOfKeys = (why: unknown): boolean =>
  why instanceof Rejected &&
  why.refusal.is === "unverifiable" &&
  (why.refusal.what === "keys" || why.refusal.what === "key");

/** The rejection when no newer key is to be had. */
const notOurs = (why: unknown, isSettled: boolean): unknown =>
  isSettled &&
  why instanceof Rejected &&
  why.refusal.is === "unverifiable" &&
  why.refusal.what === "key"
    ? new Rejected({ is: "untrusted", what: "key" })
    : why;
