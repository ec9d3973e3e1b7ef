/** The half of a verifier that needs a network: keys by themselves, the feed, and questions to the authority. */

import { randomBytes } from "node:crypto";
import { Teller, type Activity } from "./activity.js";
import type { Cursor } from "./cursor.js";
import { discover } from "./discovery.js";
import { Feed, type Mode } from "./feed.js";
import { Follower } from "./follower.js";
import { FetchError, httpOf } from "./http.js";
import { KeyFetcher } from "./keys.js";
import type { Keyring } from "./keyring.js";
import type { Mirror } from "./mirror.js";
import type { Now } from "./now.js";
import type { FeedOptions, Settled } from "./options.js";
import { Questions, type Answer } from "./questions.js";
import { Redeemer } from "./redeem.js";
import { Reporter } from "./report.js";
import type { Sessions } from "./sessions.js";
import { placeOf } from "./url.js";

/** What can go wrong between here and the authority. */
export type Trouble = "keys" | "feed" | "questions" | "redeeming" | "reports" | "activity";

/** What the network half fills and reads. */
export interface Filled {
  readonly keyring: Keyring;
  readonly mirror: Mirror;
  readonly sessions: Sessions;
  /** Which sessions were used, if the authority is to be told. */
  readonly activity: Activity | undefined;
  now(): Now;
  /** Tells whoever looks after the service what went wrong. */
  failed(what: Trouble): (why: FetchError) => void;
}

/** The network half. */
export interface Net {
  readonly keys: KeyFetcher;
  /** Whether there is an API key to ask with. */
  readonly asks: boolean;
  readonly mode: Mode;
  readonly tip: Cursor | undefined;
  readonly resyncs: number;
  ask(token: string, isKnown: boolean): Promise<Answer>;
  /** Where tokens and tickets that are good once are used up, if there is an API key for it. */
  readonly redeemer: Redeemer | undefined;
  /** Resolves when the first keys have come and, with a feed, all that is revoked is known. */
  ready(): Promise<void>;
  close(): void;
}

const ALIVE_MS = 60_000;

const CLOSED = () => new FetchError("unreachable", "any more: the verifier was closed");

/** Starts the network half of a verifier. */
export function netOf(options: Settled, filled: Filled): Net {
  const { keyring, mirror, failed, now } = filled;
  const http = httpOf(options.fetch ?? fetch);
  const place = placeOf(options.issuer, options.through);
  const keys = new KeyFetcher(
    keyring,
    { refetchMs: options.keyRefetchMs, maxAgeMs: options.keyMaxAgeMs },
    () => discover(http, options.issuer, place),
    failed("keys"),
  );
  const asksWith = (options.introspection ?? options.feed)?.apiKey;
  const questions =
    asksWith === undefined ? undefined : new Questions(http, asksWith, failed("questions"));
  const waiting: ((failed?: FetchError) => void)[] = [];
  let isClosed = false;
  const becameReady = () => {
    if (waiting.length && mirror.age(now()) !== undefined)
      for (const done of waiting.splice(0)) done();
  };
  const at = (path: string) => place.at(path);
  const redeemer =
    asksWith === undefined ? undefined : new Redeemer(http, asksWith, at, failed("redeeming"));
  const followed = options.feed && follow(options.feed);
  const url = at("/v1/activity");
  const told = { http, url, failed: failed("activity") };
  const teller =
    filled.activity && asksWith !== undefined
      ? new Teller(filled.activity, { ...told, apiKey: asksWith })
      : undefined;
  teller?.start();
  void keys.fetch();

  function follow(feed: FeedOptions) {
    const { issuer, maxStalenessMs } = options;
    const { apiKey, pollOnly = false, offlineRoutes = 0 } = feed;
    const instance = feed.instance ?? `verifier-${randomBytes(8).toString("hex")}`;
    const { sessions } = filled;
    const follower = new Follower({
      issuer,
      mirror,
      keys: () => keyring.current,
      heard: (entries) => sessions.hear(entries),
      resynced: (key) => sessions.resync(key),
    });
    const parts = { http, apiKey, follower, mirror, maxStalenessMs, at, now };
    const reporter = new Reporter({
      ...parts,
      sessions,
      instance,
      offlineRoutes,
      failed: failed("reports"),
    });
    sessions.unsure = () => reporter.isUnsure();
    let isReady = false;
    const heard: ConstructorParameters<typeof Feed>[0]["heard"] = ({ report, applied }) => {
      reporter.heard(report, applied > 0);
      if (!isReady && mirror.age(now()) !== undefined) {
        isReady = true;
        reporter.soon();
      }
      becameReady();
    };
    const stream = new Feed({ ...parts, keys, pollOnly, heard, failed: failed("feed") });
    stream.start();
    reporter.start();
    return { follower, reporter, stream };
  }

  return {
    keys,
    asks: questions !== undefined,
    redeemer,
    get mode() {
      return followed?.stream.mode ?? "off";
    },
    get tip() {
      return followed?.follower.tip;
    },
    get resyncs() {
      return followed?.follower.resyncs ?? 0;
    },
    async ask(token, isKnown) {
      const url = keys.introspection;
      return url && questions ? questions.ask(url, token, isKnown) : { is: "none" };
    },
    async ready() {
      // Whoever waits for this has nothing else to do yet, and waits between tries do not keep a process alive.
      const alive = setInterval(() => {}, ALIVE_MS);
      try {
        if (!keys.isReady) await keys.newer();
        if (isClosed) throw CLOSED();
        if (followed && mirror.age(now()) === undefined)
          await new Promise<void>((done, fail) =>
            waiting.push((failed) => (failed ? fail(failed) : done())),
          );
      } finally {
        clearInterval(alive);
      }
    },
    close() {
      isClosed = true;
      for (const done of waiting.splice(0)) done(CLOSED());
      keys.close();
      teller?.close();
      followed?.stream.close();
      followed?.reporter.close();
      http.close();
    },
  };
}
