/** The running digest, and the cursor that carries it (api/feed.md, "Cursors and the digest"). */

import { createHash } from "node:crypto";
import { decodeExact, encode } from "./base64url.js";
import { toRecord, type Entry } from "./entry.js";
import { Malformed } from "./malformed.js";

/** How many revocations one running digest covers; it begins anew after each. */
export const BLOCK = 1024;

/** A place in the feed. Two are the same place if their texts are the same. */
export interface Cursor {
  readonly epoch: number;
  /** How many revocations there were in all. */
  readonly position: number;
  /** The running digest there, sixteen bytes. */
  readonly digest: Buffer;
  /** 38 characters of base64url. */
  readonly text: string;
}

/** A revocation as it travels. */
export interface Revocation {
  /** When it was decided, in seconds. */
  readonly at: number;
  readonly entry: Entry;
}

/** Reads the text of a cursor. */
export function cursorOf(text: string): Cursor {
  const bytes = decodeExact(text, 28, "cursor");
  const position = Number(bytes.readBigUInt64BE(4));
  if (!Number.isSafeInteger(position)) throw new Malformed("cursor", "is too far");
  return { epoch: bytes.readUInt32BE(0), position, digest: bytes.subarray(12), text };
}

/** Whether a block ends here and the next begins. */
export const isBoundary = ({ position }: Cursor): boolean => position % BLOCK === 0;

/** The place after one more revocation. */
export function after(cursor: Cursor, { at, entry }: Revocation): Cursor {
  const { epoch } = cursor;
  const position = cursor.position + 1;
  const before = isBoundary(cursor) ? seedOf(epoch, cursor.position) : cursor.digest;
  const digest = cut(Buffer.concat([before, eight(position), eight(at), toRecord(entry)]));
  const text = encode(Buffer.concat([four(epoch), eight(position), digest]));
  return { epoch, position, digest, text };
}

/** What a block begins with. */
const seedOf = (epoch: number, position: number): Buffer =>
  cut(Buffer.concat([Buffer.from("symbolon feed"), four(epoch), eight(position)]));

const cut = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest().subarray(0, 16);

function four(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

function eight(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}
