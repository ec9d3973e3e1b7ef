/** A revocation as a mirror keeps it: 31 bytes (api/feed.md, "Records"). */

import { Malformed } from "./malformed.js";
import { REASONS, type Effect, type Reason } from "./reason.js";

/** What a revocation hits, in the order of the layout's numbers. */
export const KINDS = ["token", "session", "subject", "client", "key", "everything"] as const;

/** What a revocation hits. */
export type Kind = (typeof KINDS)[number];

/** A bound on a counter: what is below it is hit. Compared as a pair. */
export type Below = readonly [epoch: number, counter: number];

/** A revocation, as far as strangers are told. */
export interface Entry {
  readonly kind: Kind;
  /** Sixteen bytes, a character each: the digest; a key's `kid` and four zeros; for everything zeros. */
  readonly name: string;
  /** For a subject, a client, everything. */
  readonly below: Below | undefined;
  readonly effect: Effect;
  readonly reason: Reason;
  /** Until when a mirror keeps it, in seconds. Inclusive. */
  readonly expires_at: number;
}

/** How many bytes a record has. */
export const RECORD_BYTES = 31;

/** The largest counter and the latest instant that a record holds. Inclusive. */
export const FORTY_BITS = 2 ** 40 - 1;

/** Whether entries of that kind are bounds. */
export const isBound = (kind: Kind): boolean =>
  kind === "subject" || kind === "client" || kind === "everything";

/** Whether a pair of epoch and counter is below another. */
export const isBelow = (one: Below, other: Below): boolean =>
  one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);

/** The name of everything. */
export const EVERYTHING = "\0".repeat(16);

/** The name of a key, by the bytes of its `kid`. */
export const keyName = (kid: Buffer): string => kid.toString("latin1") + "\0\0\0\0";

/** The record of an entry. */
export function toRecord({ kind, name, below, effect, reason, expires_at }: Entry): Buffer {
  const record = Buffer.alloc(RECORD_BYTES);
  record.write(name, "latin1");
  const stale = effect === "stale" ? 8 : 0;
  record[16] = (REASONS.indexOf(reason) << 4) | stale | (KINDS.indexOf(kind) + 1);
  record.writeUIntBE(expires_at, 17, 5);
  if (below) {
    record.writeUInt32BE(below[0], 22);
    record.writeUIntBE(below[1], 26, 5);
  }
  return record;
}

/** Reads the record that begins at `at`. There is one record of an entry: what is not used is zero. */
export function ofRecord(bytes: Buffer, at: number): Entry {
  const code = bytes[at + 16]!;
  const [kind, reason] = [KINDS[(code & 7) - 1], REASONS[code >> 4]];
  if (!kind || !reason) throw new Malformed("record", "is of an unknown kind or reason");
  const bound: Below = [bytes.readUInt32BE(at + 22), bytes.readUIntBE(at + 26, 5)];
  const name = bytes.toString("latin1", at, at + 16);
  const unused = [
    isBound(kind) || (bound[0] === 0 && bound[1] === 0),
    kind !== "key" || name.endsWith("\0\0\0\0"),
    kind !== "everything" || name === EVERYTHING,
  ];
  if (unused.includes(false)) throw new Malformed("record", "has bytes that mean nothing");
  return {
    kind,
    name,
    below: isBound(kind) ? bound : undefined,
    effect: code & 8 ? "stale" : "revoked",
    reason,
    expires_at: bytes.readUIntBE(at + 17, 5),
  };
}
