/** What the authority signs each second: how far the feed was read, and when (api/feed.md, "Checkpoints"). */

import { decodeExact, encode, utf8 } from "./base64url.js";
import { cursorOf, type Cursor } from "./cursor.js";
import * as json from "./json.js";
import type { KeySet } from "./jwk.js";
import { verifyAs } from "./jws.js";
import { Malformed } from "./malformed.js";

/** The `typ` of a checkpoint: no access token has it, and a checkpoint has no other. */
const TYP = "symbolon-checkpoint+jwt";

/** A statement of the authority about its feed. No relay can make one. Times are milliseconds since 1970. */
export interface Checkpoint {
  readonly iss: string;
  /** How far the feed was read; its digest vouches for all before it. */
  readonly cursor: Cursor;
  /** The oldest instant at which every part of the log was read up to its head; 0 says nothing of the time. */
  readonly read_at: number;
  /** When this was signed, by the authority's clock. */
  readonly now: number;
  /** What the verifier sent, so that `now` is known to be later. */
  readonly nonce: string | undefined;
  /** The SHA-256 of the snapshot that it came with. */
  readonly snapshot: Buffer | undefined;
}

/** Reads one whose signature is by a published key of the issuer. */
export function checkpointOf(keys: KeySet, text: string): Checkpoint {
  const object = json.members(utf8(verifyAs(keys, TYP, text), "checkpoint"), "checkpoint");
  const cursor = cursorOf(json.requiredString(object, "cursor"));
  const epoch = json.whole(json.required(object, "epoch"), "epoch");
  if (epoch !== cursor.epoch || json.requiredString(object, "digest") !== encode(cursor.digest))
    throw new Malformed("cursor", "does not agree with epoch and digest");
  const snapshot = json.optionalString(object, "snapshot");
  return {
    iss: json.requiredString(object, "iss"),
    cursor,
    read_at: json.whole(json.required(object, "read_at_ms"), "read_at_ms"),
    now: json.whole(json.required(object, "now_ms"), "now_ms"),
    nonce: json.optionalString(object, "nonce"),
    snapshot: snapshot === undefined ? undefined : decodeExact(snapshot, 32, "snapshot"),
  };
}
