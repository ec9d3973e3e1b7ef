/**
 * Reading the claims of an access token (RFC 7519 §4, RFC 9068 §2.2).
 *
 * A claim that cannot be read is an error, never an absence (advisory CVE-2026-25537), and a claim that we need is never
 * filled in.
 */

import { decodeExact } from "./base64url.js";
import * as json from "./json.js";
import { Malformed } from "./malformed.js";
import { imprintsOf, type Imprints } from "./surroundings.js";

/** What an access token says. Times are whole seconds since 1970. */
export interface Claims {
  /** Who issued it; always the verifier's issuer. */
  readonly iss: string;
  /** Whom it is about. A client's own token has `client:` and its name. */
  readonly sub: string;
  /** Whom it is for; the verifier's audience is among them. */
  readonly aud: readonly string[];
  /** Through which client. */
  readonly client_id: string;
  /** When it was issued. */
  readonly iat: number;
  /** Until when it is good. Exclusive. */
  readonly exp: number;
  /** From when it is good, if it says so. Inclusive. */
  readonly nbf: number | undefined;
  /** Its name, for logs. */
  readonly jti: string;
  /** What it allows, names separated by one space. */
  readonly scope: string | undefined;
  /** The session; a client's own token has none. */
  readonly sid: string | undefined;
  /** The counters that revocation compares: of the store, the subject, the client and everything. */
  readonly ver: Ver;
  /** When the subject last signed in. */
  readonly auth_time: number | undefined;
  /** How strongly. */
  readonly acr: string | undefined;
  /** By which methods. */
  readonly amr: readonly string[];
  /** The subject's roles. */
  readonly roles: readonly string[];
  /** The thumbprint of the key that whoever shows the token must prove (`cnf.jkt`, RFC 9449 §6.1). */
  readonly jkt: string | undefined;
  /** The features and the network of its sign-in that it is bound to, as digests. */
  readonly imprints: Imprints | undefined;
  /** How old the knowledge of revocations may be by which it is let in, in seconds, if it says so. */
  readonly staleness: number | undefined;
  /** Whether it lets in once, and must be redeemed at the authority. */
  readonly one_use: boolean;
  /** The name of the roles and added claims that it leaves out, to be asked for, if it does. */
  readonly rights: string | undefined;
  /** The claims that a back end added. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** The counters of a token (docs/DESIGN.md §4.3). */
export type Ver = readonly [store: number, subject: number, client: number, everything: number];

/** The latest instant that a claim may name, in seconds: the end of the year 9999. Inclusive. */
const SECONDS_MAX = 253_402_300_799;

const EPOCH_MAX = 2 ** 32 - 1;
const COUNTER_MAX = Number.MAX_SAFE_INTEGER;

/** Reads the claims of a payload; `passedOver` are members that are no claims (RFC 7662 §2.2). */
export function claimsOf(text: string, passedOver: readonly string[] = []): Claims {
  const object = json.members(text, "claims");
  const cnf = optional(object, "cnf", confirmationOf);
  const reported = optional(object, "cnf_reported", json.members);
  const imprints = imprintsOf(cnf, reported);
  // One that is of no session could be compared with nothing, and must not pass as if there were none.
  if (imprints && !object.has("sid"))
    throw new Malformed("sid", "is missing, and `cnf` is about a session");
  return Object.freeze({
    jkt: cnf && json.optionalString(cnf, "jkt"),
    imprints,
    iss: filled(object, "iss"),
    sub: filled(object, "sub"),
    aud: audienceOf(json.required(object, "aud")),
    client_id: filled(object, "client_id"),
    iat: instant(json.required(object, "iat"), "iat"),
    exp: instant(json.required(object, "exp"), "exp"),
    nbf: optional(object, "nbf", instant),
    jti: filled(object, "jti"),
    scope: json.optionalString(object, "scope"),
    sid: optional(object, "sid", sessionOf),
    ver: countersOf(json.required(object, "ver")),
    auth_time: optional(object, "auth_time", instant),
    acr: json.optionalString(object, "acr"),
    amr: optional(object, "amr", json.strings) ?? [],
    roles: optional(object, "roles", json.strings) ?? [],
    staleness: optional(object, "staleness", secondsOf),
    one_use: optional(object, "one_use", switchOf) ?? false,
    rights: optional(object, "rights", json.string),
    extra: extraOf(object, passedOver),
  });
}

/** The names in `scope`. */
export const scopesOf = ({ scope }: Claims): readonly string[] =>
  (scope ?? "").split(" ").filter((name) => name !== "");

/** The claims that we give a meaning to. */
const OURS: ReadonlySet<string> = new Set(
  (
    "iss sub aud client_id iat exp nbf jti scope sid ver auth_time acr amr roles cnf " +
    "cnf_reported staleness one_use rights"
  ).split(" "),
);

function extraOf(
  object: json.Members,
  passedOver: readonly string[],
): Readonly<Record<string, unknown>> {
  // Without a prototype, so that a claim `__proto__` is a claim like any other.
  const extra = Object.create(null) as Record<string, unknown>;
  for (const [name, raw] of object)
    if (!OURS.has(name) && !passedOver.includes(name)) extra[name] = JSON.parse(raw);
  return Object.freeze(extra);
}

function optional<T>(
  object: json.Members,
  name: string,
  read: (raw: string, name: string) => T,
): T | undefined {
  const raw = object.get(name);
  return raw === undefined ? undefined : read(raw, name);
}

function filled(object: json.Members, name: string): string {
  const text = json.requiredString(object, name);
  if (text === "") throw new Malformed(name, "is empty");
  return text;
}

/**
 * A NumericDate in whole seconds: RFC 7519 §2 would allow fractions, our authority writes none, and two readings of one
 * instant are one too many.
 */
export const instant = (raw: string, name: string): number => json.whole(raw, name, SECONDS_MAX);

/** One name, or several (RFC 7519 §4.1.3). */
function audienceOf(raw: string): readonly string[] {
  const aud = raw.startsWith("[") ? json.strings(raw, "aud") : [json.string(raw, "aud")];
  if (!aud.length || aud.includes("")) throw new Malformed("aud", "is empty");
  return aud;
}

function sessionOf(raw: string): string {
  const sid = json.string(raw, "sid");
  decodeExact(sid, 16, "sid");
  return sid;
}

const countersOf = (raw: string): Ver =>
  json.wholes(raw, "ver", [EPOCH_MAX, COUNTER_MAX, COUNTER_MAX, COUNTER_MAX]) as unknown as Ver;

/** Zero would say that no knowledge is good enough. */
function secondsOf(raw: string, name: string): number {
  const seconds = instant(raw, name);
  if (seconds === 0) throw new Malformed(name, "must be a whole number of seconds");
  return seconds;
}

function switchOf(raw: string, name: string): boolean {
  if (raw !== "true" && raw !== "false") throw new Malformed(name, "is neither true nor false");
  return raw === "true";
}

/** A token that is bound in a way that we do not know must not pass as a bearer token (RFC 7800 §3.1). */
function confirmationOf(raw: string): json.Members {
  const cnf = json.members(raw, "cnf");
  if (!CONFIRMING.some((name) => cnf.has(name))) throw new Malformed("cnf.jkt", "is missing");
  for (const name of cnf.keys())
    if (!CONFIRMING.includes(name))
      throw new Malformed("cnf", "has a member that is not understood");
  const jkt = json.optionalString(cnf, "jkt");
  if (jkt !== undefined) decodeExact(jkt, 32, "cnf.jkt");
  return cnf;
}

/** What may stand in `cnf`. */
const CONFIRMING: readonly string[] = ["jkt", "features", "network"];
