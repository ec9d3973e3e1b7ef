/** Everything that a mirror must know, in one piece (api/feed.md, "Snapshots"). */

import { createHash } from "node:crypto";
import { checkpointOf, type Checkpoint } from "./checkpoint.js";
import { utf8 } from "./base64url.js";
import { ofRecord, RECORD_BYTES, type Entry } from "./entry.js";
import * as json from "./json.js";
import type { KeySet } from "./jwk.js";
import { Malformed } from "./malformed.js";
import { targetKeyOf, type TargetKey } from "./target.js";

/** The longest first line, in bytes. Inclusive. */
export const LINE_BYTES_MAX = 8 * 1024;

/** A snapshot whose checkpoint vouches for every byte of it. */
export interface Snapshot {
  readonly checkpoint: Checkpoint;
  /** The key under which its targets, and those of the feed after it, are digested. */
  readonly targetKey: TargetKey;
  readonly length: number;
  /**
   * The entries from one place to another. One that this version does not know is an error: to pass it over would be to let in
   * whom it refuses.
   */
  entries(from: number, to: number): Entry[];
}

/** Reads a snapshot and checks that its checkpoint is by a key of the issuer and over these bytes. */
export function snapshotOf(keys: KeySet, bytes: Buffer): Snapshot {
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf(0x0a);
  if (end < 0) throw new Malformed("snapshot", "has no first line");
  const line = json.members(utf8(bytes.subarray(0, end), "snapshot"), "snapshot");
  const records = bytes.subarray(end + 1);
  const length = json.whole(json.required(line, "count"), "count");
  if (length * RECORD_BYTES !== records.length)
    throw new Malformed("snapshot", "does not have as many entries as it says");
  const targetKey = targetKeyOf(json.requiredString(line, "digest_key"));
  const checkpoint = checkpointOf(keys, json.requiredString(line, "jws"));
  const digest = createHash("sha256").update(targetKey.key.export()).update(records).digest();
  if (!checkpoint.snapshot?.equals(digest))
    throw new Malformed("snapshot", "is not the one that was signed");
  if (json.requiredString(line, "cursor") !== checkpoint.cursor.text)
    throw new Malformed("snapshot", "stands elsewhere than its checkpoint");
  const entries = (from: number, to: number) =>
    Array.from({ length: Math.min(to, length) - from }, (_, at) =>
      ofRecord(records, (from + at) * RECORD_BYTES),
    );
  return { checkpoint, targetKey, length, entries };
}
