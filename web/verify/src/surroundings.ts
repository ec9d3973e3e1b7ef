/** The features and the network that a token is bound to, at every request (docs/guide/bind-tokens.md). */

import { createHash } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { decodeExact } from "./base64url.js";
import * as json from "./json.js";
import { Malformed } from "./malformed.js";
import type { Presented } from "./presented.js";
import { Rejected } from "./rejected.js";

/** What a token must be shown with: a digest that is made together with the name of its session, and tells nothing by itself. */
export interface Imprint {
  /** 16 bytes, as base64url. */
  readonly to: string;
  /** Whether whoever shows something else is refused, or only counted. */
  readonly enforced: boolean;
}

/** What a token says of features and network. */
export interface Imprints {
  readonly features?: Imprint;
  readonly network?: Imprint;
}

/** The longest features that a session begins with, in bytes. Inclusive. */
const FEATURES_BYTES_MAX = 1024;

const KINDS = ["features", "network"] as const;

/** Reads the imprints of `cnf`, and of `cnf_reported`, which refuses nobody and is counted. */
export function imprintsOf(
  cnf: json.Members | undefined,
  reported: json.Members | undefined,
): Imprints | undefined {
  const imprints: { -readonly [Kind in keyof Imprints]: Imprints[Kind] } = {};
  for (const [members, enforced] of [
    [cnf, true],
    [reported, false],
  ] as const)
    for (const kind of KINDS) {
      const to = members && json.optionalString(members, kind);
      if (to === undefined) continue;
      decodeExact(to, 16, `${enforced ? "cnf" : "cnf_reported"}.${kind}`);
      if (imprints[kind]) throw new Malformed("cnf_reported", "repeats what `cnf` has");
      imprints[kind] = { to, enforced };
    }
  return imprints.features || imprints.network ? imprints : undefined;
}

/**
 * Compares what a request shows with what a token of that session is bound to; whether that is only to be counted. Throws a
 * `Rejected` where it is something else, or where nobody looked.
 */
export function isOnlyReported(presented: Presented, sid: string, imprints: Imprints): boolean {
  const { features, network } = imprints;
  const fits = [
    features && compared(features, seenFeatures(presented, sid)),
    network && compared(network, seenNetwork(presented, sid)),
  ] as const;
  if (fits.includes("other")) throw new Rejected({ is: "elsewhere" });
  const unknown = fits.indexOf("unknown");
  if (unknown >= 0)
    throw new Rejected({ is: "unverifiable", what: unknown ? "address" : "features" });
  return fits.includes("reported");
}

/** What a request shows of one of them: an imprint, nothing although somebody looked, or that nobody did. */
type Seen = string | null | undefined;

function compared(
  { to, enforced }: Imprint,
  seen: Seen,
): "same" | "reported" | "other" | "unknown" {
  if (seen === to) return "same";
  if (!enforced) return "reported";
  return seen === undefined ? "unknown" : "other";
}

function seenFeatures({ features }: Presented, sid: string): Seen {
  if (features === undefined || features === null) return features;
  const bytes = Buffer.from(features);
  // No session began with longer ones.
  if (bytes.length > FEATURES_BYTES_MAX) return null;
  return imprint("feature", sid, createHash("sha256").update(bytes).digest());
}

function seenNetwork({ ip }: Presented, sid: string): Seen {
  const network = ip === undefined ? undefined : networkOf(ip);
  return network && imprint("network", sid, network);
}

/** What is put before what is digested, and both names, are as long as each other. */
const imprint = (kind: "feature" | "network", sid: string, own: Buffer): string =>
  createHash("sha256")
    .update(`symbolon imprint ${kind}`)
    .update(Buffer.from(sid, "base64url"))
    .update(own)
    .digest()
    .subarray(0, 16)
    .toString("base64url");

/** The first address of the network of an address, /24 of IPv4 or /56 of IPv6, one of IPv4 written as IPv6; nothing: it is none. */
export function networkOf(ip: string): Buffer | undefined {
  const address = bytesOf(ip.replace(/%.*$/s, ""));
  if (!address) return undefined;
  const isMapped = address.subarray(0, 12).equals(MAPPED);
  address.fill(0, isMapped ? 15 : 7);
  return address;
}

/** What an address of IPv4 begins with where it is written as IPv6 (RFC 4291 §2.5.5.2). */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

function bytesOf(ip: string): Buffer | undefined {
  if (isIPv4(ip)) return Buffer.concat([MAPPED, Buffer.from(ip.split(".").map(Number))]);
  if (!isIPv6(ip)) return undefined;
  // The platform writes each address in one way, without dots.
  const [left = "", right] = new URL(`http://[${ip}]/`).hostname.slice(1, -1).split("::");
  const groups = (text = "") => (text ? text.split(":").map((group) => parseInt(group, 16)) : []);
  const [first, last] = [groups(left), groups(right)];
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
