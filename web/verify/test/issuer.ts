/** An issuer that signs whatever a test asks for, and the feed that it would send. */

import { createHash, generateKeyPairSync, sign, type JsonWebKey } from "node:crypto";
import { after, cursorOf, isBoundary, type Cursor, type Revocation } from "../src/cursor.js";
import { isBound, KINDS, keyName, toRecord, type Entry } from "../src/entry.js";
import { parseKeySet, type KeySet } from "../src/jwk.js";
import type { Now } from "../src/now.js";

export const ISSUER = "https://id.example.com";
export const AUDIENCE = "demo-api";

/** When all tests happen, in seconds. */
export const AT = 1_700_000_000;

/** That instant so many milliseconds later. */
export const now = (ms = 0): Now => ({ wall: AT * 1000 + ms, monotonic: ms });

export const b64 = (text: string | Buffer): string => Buffer.from(text).toString("base64url");

/** A key that signs. */
export interface Key {
  readonly kid: string;
  readonly alg: "EdDSA" | "ES256" | "RS256";
  readonly jwk: JsonWebKey;
  sign(text: string): Buffer;
}

export function newKey(alg: Key["alg"] = "EdDSA"): Key {
  const pair =
    alg === "EdDSA"
      ? generateKeyPairSync("ed25519")
      : alg === "ES256"
        ? generateKeyPairSync("ec", { namedCurve: "P-256" })
        : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const bare = pair.publicKey.export({ format: "jwk" });
  const sorted = Object.entries(bare).sort(([a], [b]) => (a < b ? -1 : 1));
  const thumbprint = createHash("sha256").update(JSON.stringify(Object.fromEntries(sorted)));
  const kid = b64(thumbprint.digest().subarray(0, 12));
  const key = pair.privateKey;
  return {
    kid,
    alg,
    jwk: { ...bare, kid, alg, use: "sig" },
    sign: (text) =>
      alg === "EdDSA"
        ? sign(null, Buffer.from(text), key)
        : sign(
            "sha256",
            Buffer.from(text),
            alg === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key,
          ),
  };
}

export const jwksOf = (...keys: readonly Key[]): string =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

export const keySetOf = (...keys: readonly Key[]): KeySet => parseKeySet(jwksOf(...keys));

/** A JWS of any header and payload. */
export function jws(key: Key, header: object, payload: object | string): string {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const signed = `${b64(JSON.stringify({ alg: key.alg, kid: key.kid, ...header }))}.${b64(text)}`;
  return `${signed}.${b64(key.sign(signed))}`;
}

/** The claims of a good token; members that are `undefined` are left out. */
export const claims = (other: object = {}): object => ({
  iss: ISSUER,
  sub: "42",
  aud: AUDIENCE,
  client_id: "web",
  iat: AT,
  exp: AT + 300,
  jti: "j-1",
  scope: "orders:read orders:write",
  sid: "EREREREREREREREREREREQ",
  ver: [2, 5, 6, 7],
  roles: ["buyer"],
  ...other,
});

export const token = (key: Key, other: object = {}): string =>
  jws(key, { typ: "at+jwt" }, claims(other));

/** The key under which targets are digested. */
export const DIGEST_KEY = "oipAeRW83WPvjdCifdCHeIao5_Z0T6MKGHumh7KUn-g";

/** An entry like any; what is named is so. */
export const entry = (other: Partial<Entry> = {}): Entry => ({
  kind: "session",
  name: "s".repeat(16),
  below: undefined,
  effect: "revoked",
  reason: "kicked",
  expires_at: AT + 361,
  ...other,
});

/** The feed of an issuer. */
export class Sender {
  cursor: Cursor;
  private readonly entries: Entry[] = [];

  constructor(
    readonly key: Key,
    epoch = 2,
    readonly digestKey = DIGEST_KEY,
  ) {
    const seed = createHash("sha256")
      .update("symbolon feed")
      .update(Buffer.from([0, 0, 0, epoch, 0, 0, 0, 0, 0, 0, 0, 0]))
      .digest();
    const bytes = Buffer.alloc(28);
    bytes[3] = epoch;
    seed.copy(bytes, 12, 0, 16);
    this.cursor = cursorOf(b64(bytes));
  }

  /** Goes one revocation on; answers its frame. A block's end is followed by its checkpoint. */
  revoke(one: Entry, at = AT): string {
    const revocation: Revocation = { at, entry: one };
    this.entries.push(one);
    this.cursor = after(this.cursor, revocation);
    const frame = frameOf(this.cursor, revocation);
    return isBoundary(this.cursor) ? frame + this.checkpoint(at * 1000) : frame;
  }

  /** A checkpoint at the place where the feed is. */
  checkpoint(nowMs: number, other: object = {}): string {
    return `event: checkpoint\ndata: ${JSON.stringify({ jws: this.signed(nowMs, other) })}\n\n`;
  }

  snapshot(nowMs: number, other: object = {}): Buffer {
    const records = Buffer.concat(this.entries.map(toRecord));
    const digest = createHash("sha256")
      .update(Buffer.from(this.digestKey, "base64url"))
      .update(records)
      .digest("base64url");
    const line = {
      cursor: this.cursor.text,
      digest: b64(this.cursor.digest),
      digest_key: this.digestKey,
      count: this.entries.length,
      jws: this.signed(nowMs, { snapshot: digest, ...other }),
    };
    return Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), records]);
  }

  private signed(nowMs: number, other: object): string {
    const payload = {
      iss: ISSUER,
      epoch: this.cursor.epoch,
      cursor: this.cursor.text,
      digest: b64(this.cursor.digest),
      read_at: Math.floor(nowMs / 1000),
      now: Math.floor(nowMs / 1000),
      read_at_ms: nowMs,
      now_ms: nowMs,
      ...other,
    };
    return jws(this.key, { typ: "symbolon-checkpoint+jwt" }, payload);
  }
}

/** The frame of a revocation, as the authority writes it. */
export function frameOf(cursor: Cursor, { at, entry }: Revocation): string {
  const { kind, name, below, effect, reason, expires_at } = entry;
  const bytes = Buffer.from(name, "latin1");
  const target = {
    kind,
    ...(kind === "key" && { kid: b64(bytes.subarray(0, 12)) }),
    ...(kind !== "key" && kind !== "everything" && { digest: b64(bytes) }),
    ...(below && { below }),
  };
  const data = JSON.stringify({ at, target, effect, reason, expires_at });
  return `event: revocation\nid: ${cursor.text}\ndata: ${data}\n\n`;
}

/** A generator of numbers that repeats itself, so that what was found can be found again. */
export function chance(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Any entry, of few names, so that they meet. */
export function anyEntry(random: (below: number) => number): Entry {
  const kind = KINDS[random(KINDS.length)]!;
  const letter = String.fromCharCode(97 + random(3));
  const name =
    kind === "everything"
      ? "\0".repeat(16)
      : kind === "key"
        ? keyName(Buffer.from(letter.repeat(12)))
        : letter.repeat(16);
  return entry({
    kind,
    name,
    below: isBound(kind) ? [1 + random(3), random(6)] : undefined,
    effect: random(2) ? "revoked" : "stale",
    reason: random(2) ? "kicked" : "admin",
    expires_at: AT + random(12),
  });
}
