/** What a verifier is made from. */

import { ALGORITHMS, TOKEN_TYPES, type Algorithm, type TokenType } from "./alg.js";
import { CACHE_DEFAULT, CACHE_MAX } from "./cache.js";
import type { Now } from "./now.js";

/** What a verifier is made from. */
export interface Options {
  /** Whose tokens; compared exactly, byte for byte. https, or http on this machine itself. */
  readonly issuer: string;
  /**
   * The name of this resource server, which a token's `aud` must contain. A name that two services share lets the tokens of one
   * into the other (RFC 8725 §3.9).
   */
  readonly audience: string;
  /** What tokens for this audience are signed with. A second one while it moves from one to the other. Default: EdDSA. */
  readonly algorithms?: readonly Algorithm[];
  /** What they declare themselves to be. Under `JWT` only their claims tell them from ID tokens. Default: `at+jwt`. */
  readonly typ?: TokenType;
  /**
   * An API key of scope `revocations:read`, with which the authority's feed is followed: a session that ended is refused within
   * milliseconds, and nobody asks the authority while the feed is heard. It is sent to the issuer's own host alone.
   */
  readonly feed?: FeedOptions;
  /** An API key of scope `revocations:read`, to ask about tokens with (RFC 7662). Default: that of `feed`. */
  readonly introspection?: { readonly apiKey: string };
  /**
   * Tells the authority once a minute which sessions were used, so that those whose client never renews, because its token cannot
   * change, do not end as unused while they are in use. Turn it on in every service that such a session uses. Whoever has a
   * stolen token then keeps its session from idling out, up to its absolute end: that is what sliding means. Default: off.
   */
  readonly reportActivity?: boolean;
  /**
   * The issuer's keys as a JWK Set, for a verifier that fetches none: without a network, and for HS256, whose secret is never
   * published. It learns of no new and no withdrawn key but by `replaceKeys`.
   */
  readonly keys?: string;
  /**
   * The largest age of the mirror at which any policy may trust it, in milliseconds, between 1 s and 24 h: an ended session is
   * refused this long after its end at the latest, also when the feed is cut. The authority is told it. Default: 5 s.
   */
  readonly maxStalenessMs?: number;
  /**
   * The private or secret JWKs that open tokens which were encrypted for this audience (RFC 7516); several while the authority
   * changes over to another one. What is inside is verified as every token is. Default: none, and such a token is refused.
   */
  readonly decryptWith?: readonly string[];
  /**
   * Refuses tokens that are signed alone: to be turned on once the authority encrypts (RFC 9068 §4), since whoever carried such
   * a token has read it. Opaque tokens say nothing to anyone, and are taken in any case. Default: off.
   */
  readonly requireEncrypted?: boolean;
  /** About how many verified tokens are kept, of about two kilobytes each; zero keeps none. Default: 16,384. */
  readonly cache?: number;
  /**
   * Where callers reach this service, such as `https://api.example.com`, with the path before its own if a proxy takes one away:
   * the proof of a bound token names the URL that it is for (RFC 9449 §4.3). Without it no bound token is let in.
   */
  readonly publicUrl?: string;
  /**
   * A secret of 32 bytes, drawn at random, that the nonces of proofs are made with; verifiers behind one balancer that follow no
   * feed share it. The feed brings one.
   */
  readonly nonceSecret?: Uint8Array;
  /**
   * Where the issuer is reached, if not at its own name: a sidecar on this machine, say. The API keys go there too, so it must
   * be https, or http on the loopback.
   */
  readonly through?: string;
  /** At least this lies between two fetches of the keys, whatever tokens name, in milliseconds. Default: 30 s. */
  readonly keyRefetchMs?: number;
  /** Keys are fetched again at this age: how long a withdrawn key is trusted, in milliseconds. Default: 5 min. */
  readonly keyMaxAgeMs?: number;
  /** Told what goes wrong between here and the authority; `console` will do. It is told no token and no key. */
  readonly log?: { warn(message: string): void; error(message: string): void };
  /** The platform's `fetch`, or one with a proxy or certificates of your own. */
  readonly fetch?: typeof fetch;
  /** Reads the clocks: for tests. */
  readonly now?: () => Now;
}

/** How the feed is followed. */
export interface FeedOptions {
  readonly apiKey: string;
  /** Long polls alone, where something on the way is known to hold streams back; it is noticed after 3 s anyway. */
  readonly pollOnly?: boolean;
  /**
   * The name under which this process reports what it applied: 1 to 64 visible ASCII characters. No two processes of one API
   * key may share it. Default: drawn by chance.
   */
  readonly instance?: string;
  /** How many routes check under `offline`, which whoever revokes with `wait` is told. Default: none. */
  readonly offlineRoutes?: number;
}

/** Options with nothing left out that has a default. */
export interface Settled extends Options {
  readonly algorithms: readonly Algorithm[];
  readonly typ: TokenType;
  readonly maxStalenessMs: number;
  readonly cache: number;
  readonly keyRefetchMs: number;
  readonly keyMaxAgeMs: number;
}

/** Refuses what cannot be meant; the same at every try. */
export function settled(options: Options): Settled {
  const { issuer, audience, algorithms = ["EdDSA"], typ = "at+jwt", feed, nonceSecret } = options;
  const wrong: readonly (readonly [boolean, string])[] = [
    [!filled(issuer), "`issuer` is required: whose tokens are these?"],
    [!filled(audience), "`audience` is required: whom are the tokens for?"],
    [
      !algorithms.length || algorithms.some((alg) => !ALGORITHMS.includes(alg)),
      "`algorithms` has one that does not exist here",
    ],
    [!TOKEN_TYPES.includes(typ), "`typ` must be `at+jwt` or `JWT`"],
    [
      [feed, options.introspection].some((one) => one && !isHeader(one.apiKey)),
      "an `apiKey` cannot be sent in a header",
    ],
    [
      feed?.instance !== undefined && !/^[!-~]{1,64}$/.test(feed.instance),
      "`instance` must be 1 to 64 visible ASCII characters",
    ],
    [
      options.requireEncrypted === true && !options.decryptWith?.length,
      "`requireEncrypted` needs `decryptWith`",
    ],
    [
      options.reportActivity === true && !(feed ?? options.introspection),
      "`reportActivity` needs an API key: that of `feed`, or of `introspection`",
    ],
    [nonceSecret !== undefined && nonceSecret.length !== 32, "`nonceSecret` must be 32 bytes"],
    [
      options.keys !== undefined && feed !== undefined,
      "`keys` is for verifiers without a network, and `feed` needs one",
    ],
  ];
  for (const [is, why] of wrong) if (is) throw new TypeError(why);
  return {
    ...options,
    algorithms,
    typ,
    maxStalenessMs: clamp(options.maxStalenessMs ?? 5000, 1000, 24 * 3_600_000),
    cache: clamp(options.cache ?? CACHE_DEFAULT, 0, CACHE_MAX),
    keyRefetchMs: clamp(options.keyRefetchMs ?? 30_000, 1000),
    keyMaxAgeMs: clamp(options.keyMaxAgeMs ?? 5 * 60_000, 1000),
  };
}

const filled = (text: unknown): boolean => typeof text === "string" && text !== "";

const isHeader = (text: unknown): boolean => typeof text === "string" && /^[!-~]+$/.test(text);

function clamp(number: number, least: number, most = 2 ** 31 - 1): number {
  if (!Number.isFinite(number)) throw new TypeError("a number is required here");
  return Math.min(Math.max(Math.floor(number), least), most);
}
