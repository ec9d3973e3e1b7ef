/** Frames of the feed as server-sent events (WHATWG HTML §9.2; api/feed.md, "Frames"). */

import { decodeExact, utf8 } from "./base64url.js";
import { cursorOf, type Cursor, type Revocation } from "./cursor.js";
import {
  EVERYTHING,
  FORTY_BITS,
  isBound,
  keyName,
  KINDS,
  type Below,
  type Entry,
  type Kind,
} from "./entry.js";
import * as json from "./json.js";
import { Malformed } from "./malformed.js";
import { reasonOf } from "./reason.js";

/** The longest frame that is read, in bytes. Inclusive. */
export const FRAME_BYTES_MAX = 16 * 1024;

/** The latest instant that is counted in milliseconds. */
const SECONDS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

/** One frame of the feed. */
export type Frame =
  /** A revocation, and the place in the feed after it. */
  | { readonly is: "revocation"; readonly cursor: Cursor; readonly revocation: Revocation }
  /** A signed checkpoint, not verified yet. */
  | { readonly is: "checkpoint"; readonly jws: string }
  /** A signing key changed: a hint to fetch the key set. */
  | { readonly is: "key" }
  /** Somebody waits to hear what this verifier has applied. */
  | { readonly is: "report" }
  /** The sender goes away; come back after that long. */
  | { readonly is: "bye"; readonly retryMs: number }
  /** Something that this version does not know, or a comment that keeps the connection open. */
  | { readonly is: "other" };

/** Cuts a stream of bytes, however it arrives, into frames. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);

  /** Takes in what has arrived. */
  push(bytes: Uint8Array): void {
    this.rest = Buffer.concat([this.rest, bytes]);
  }

  /** The next whole frame; nothing: more must arrive. A `Malformed` means that the stream is of no use any more. */
  next(): Frame | undefined {
    const end = this.rest.indexOf("\n\n");
    if ((end < 0 ? this.rest.length : end) > FRAME_BYTES_MAX)
      throw new Malformed("frame", "is longer than 16 KiB");
    if (end < 0) return undefined;
    const text = utf8(this.rest.subarray(0, end), "frame");
    this.rest = this.rest.subarray(end + 2);
    return frameOf(text);
  }
}

function frameOf(text: string): Frame {
  let [event, id] = ["", ""];
  const data: string[] = [];
  for (const line of text.split("\n")) {
    const [, name = "", value = ""] = /^([^:\r]*)(?:: ?(.*?))?\r?$/s.exec(line) ?? [];
    if (name === "event") event = value;
    else if (name === "id") id = value;
    else if (name === "data") data.push(value);
  }
  return read(event, id, data.join("\n"));
}

function read(event: string, id: string, data: string): Frame {
  switch (event) {
    case "revocation":
      return { is: event, cursor: cursorOf(id), revocation: revocationOf(data) };
    case "checkpoint":
      return { is: event, jws: json.requiredString(json.members(data, "data"), "jws") };
    case "key": {
      const said = json.members(data, "data");
      decodeExact(json.requiredString(said, "kid"), 12, "kid");
      json.requiredString(said, "state");
      return { is: event };
    }
    case "report":
      return { is: event };
    case "bye": {
      const retry = json.required(json.members(data, "data"), "retry_ms");
      return { is: event, retryMs: json.whole(retry, "retry_ms") };
    }
    default:
      return { is: "other" };
  }
}

function revocationOf(data: string): Revocation {
  const object = json.members(data, "data");
  const effect = json.requiredString(object, "effect");
  const reason = reasonOf(json.requiredString(object, "reason"));
  if (effect !== "revoked" && effect !== "stale")
    throw new Malformed("effect", "is neither revoked nor stale");
  if (!reason) throw new Malformed("reason", "is not a reason");
  const expires_at = json.whole(json.required(object, "expires_at"), "expires_at", FORTY_BITS);
  const hit = hitOf(json.members(json.required(object, "target"), "target"));
  const at = json.whole(json.required(object, "at"), "at", SECONDS_MAX);
  return { at, entry: { ...hit, effect, reason, expires_at } };
}

function hitOf(target: json.Members): Pick<Entry, "kind" | "name" | "below"> {
  const named = json.requiredString(target, "kind");
  const kind = KINDS.find((kind) => kind === named);
  if (!kind) throw new Malformed("kind", "is not a kind of target");
  return { kind, name: nameOf(kind, target), below: isBound(kind) ? belowOf(target) : undefined };
}

function nameOf(kind: Kind, target: json.Members): string {
  if (kind === "everything") return EVERYTHING;
  if (kind === "key") return keyName(decodeExact(json.requiredString(target, "kid"), 12, "kid"));
  return decodeExact(json.requiredString(target, "digest"), 16, "digest").toString("latin1");
}

const belowOf = (target: json.Members): Below =>
  json.wholes(json.required(target, "below"), "below", [
    2 ** 32 - 1,
    FORTY_BITS,
  ]) as unknown as Below;
