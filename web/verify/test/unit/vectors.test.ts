/** `api/vectors`: the formats that every implementation reads and writes alike. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkpointOf } from "../../src/checkpoint.js";
import { claimsOf } from "../../src/claims.js";
import { after, cursorOf } from "../../src/cursor.js";
import { ofRecord, toRecord } from "../../src/entry.js";
import { FrameReader } from "../../src/frames.js";
import { Follower } from "../../src/follower.js";
import { parseKeySet } from "../../src/jwk.js";
import { Refused, verify } from "../../src/jws.js";
import { openerOf, Unopened } from "../../src/jwe.js";
import { Malformed } from "../../src/malformed.js";
import { Mirror } from "../../src/mirror.js";
import { snapshotOf } from "../../src/snapshot.js";
import { digestOf, targetKeyOf, type DigestedKind } from "../../src/target.js";
import { createVerifier, offline, Rejected, type Options } from "../../src/index.js";

const folder = "../../api/vectors/";
const read = <T>(name: string) => JSON.parse(readFileSync(folder + name, "utf8")) as T;

interface FeedVectors {
  readonly issuer: string;
  readonly jwks: object;
  readonly digest_key: string;
  readonly start: string;
  readonly snapshot: string;
  readonly checkpoint: Readonly<Record<"cursor" | "jws" | "nonce", string>> &
    Readonly<Record<"now_ms" | "read_at_ms", number>>;
  readonly over_the_end_of_a_block: { readonly revocation: number; readonly cursors: string[] };
  readonly revocations: readonly Readonly<Record<"cursor" | "frame" | "record", string>>[];
  readonly targets: readonly { kind: DigestedKind; value: string; digest: string }[];
}

interface TokenVectors {
  readonly access_token: Readonly<Record<"text" | "payload" | "secret" | "kid", string>>;
}

interface EncryptedVectors {
  readonly signed: string;
  readonly tokens: readonly {
    readonly name: string;
    readonly text: string;
    readonly jwk: Readonly<Record<string, string>>;
  }[];
  readonly refused: readonly Readonly<Record<"why" | "text", string>>[];
}

const feed = read<FeedVectors>("feed.json");
const keys = parseKeySet(JSON.stringify(feed.jwks));

const secretSet = (secret: string, kid: string) =>
  JSON.stringify({
    keys: [{ kty: "oct", k: Buffer.from(secret, "hex").toString("base64url"), kid }],
  });

function frameOf(text: string) {
  const reader = new FrameReader();
  reader.push(Buffer.from(text));
  const frame = reader.next();
  assert.equal(frame?.is, "revocation");
  return frame;
}

test("targets have the digests of the vectors", () => {
  const key = targetKeyOf(feed.digest_key);
  for (const { kind, value, digest } of feed.targets)
    assert.equal(
      Buffer.from(digestOf(key, kind, value), "latin1").toString("base64url"),
      digest,
      kind,
    );
});

test("revocations are read from their frames, folded and recorded as in the vectors", () => {
  let cursor = cursorOf(feed.start);
  for (const { cursor: told, frame, record } of feed.revocations) {
    const { cursor: read, revocation } = frameOf(frame);
    cursor = after(cursor, revocation);
    assert.deepEqual([read.text, cursor.text], [told, told]);
    assert.equal(toRecord(revocation.entry).toString("hex"), record);
    assert.deepEqual(ofRecord(Buffer.from(record, "hex"), 0), revocation.entry);
  }
});

test("the digest begins anew behind the end of a block", () => {
  const { revocation, cursors } = feed.over_the_end_of_a_block;
  const { revocation: one } = frameOf(feed.revocations[revocation]!.frame);
  for (let at = 1; at < cursors.length; at += 1)
    assert.equal(after(cursorOf(cursors[at - 1]!), one).text, cursors[at]);
});

test("the checkpoint says what the vectors say, and a changed one is refused", () => {
  const { jws, cursor, nonce, now_ms, read_at_ms } = feed.checkpoint;
  const said = checkpointOf(keys, jws);
  assert.deepEqual(
    [said.iss, said.cursor.text, said.nonce, said.now, said.read_at, said.snapshot],
    [feed.issuer, cursor, nonce, now_ms, read_at_ms, undefined],
  );
  const forged = jws.slice(0, -4) + (jws.endsWith("AAAA") ? "AAAB" : "AAAA");
  assert.throws(() => checkpointOf(keys, forged), Refused);
});

test("the snapshot has the revocations of the vectors, and no byte of its records can be changed", () => {
  const bytes = Buffer.from(feed.snapshot, "base64");
  const snapshot = snapshotOf(keys, bytes);
  assert.equal(snapshot.targetKey.text, feed.digest_key);
  assert.deepEqual(
    snapshot.entries(0, snapshot.length).map((entry) => toRecord(entry).toString("hex")),
    feed.revocations.map(({ record }) => record),
  );
  for (let at = bytes.indexOf("\n") + 1; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    assert.throws(() => snapshotOf(keys, changed), `byte ${at}`);
  }
  assert.throws(() => snapshotOf(keys, bytes.subarray(0, -1)));
  const elsewhere = bytes.toString("latin1").replace(feed.checkpoint.cursor, feed.start);
  assert.throws(() => snapshotOf(keys, Buffer.from(elsewhere, "latin1")), /stands elsewhere/);
});

test("a follower goes from the snapshot of the vectors on and holds what it says", async () => {
  const mirror = new Mirror(true);
  const follower = new Follower({ issuer: feed.issuer, mirror, keys: () => keys });
  const now = () => ({ wall: feed.checkpoint.now_ms, monotonic: 0 });
  await follower.onSnapshot(Buffer.from(feed.snapshot, "base64"), now, async () => {});
  assert.deepEqual(follower.wants(), { is: "stream", after: feed.checkpoint.cursor });
  const token = {
    jti: "other",
    sid: feed.targets[0]!.value,
    sub: "41",
    client_id: "app",
    ver: [9, 9, 9, 9],
  } as const;
  const judge = (other: object) => {
    const one = { ...token, ...other };
    return mirror.judge(mirror.namesOf(one, undefined), one.ver);
  };
  assert.deepEqual(judge({}), { effect: "revoked", reason: "kicked" });
  assert.equal(judge({ sid: undefined }), undefined);
  assert.deepEqual(judge({ sid: undefined, sub: "42", ver: [2, 6, 9, 6] }), {
    effect: "revoked",
    reason: "admin",
  });
  assert.deepEqual(judge({ sid: undefined, sub: "42", ver: [2, 6, 9, 8] }), {
    effect: "stale",
    reason: "permissions_changed",
  });
});

test("the access token of the vectors verifies and says what it says", () => {
  const { text, payload, secret, kid } = read<TokenVectors>("tokens.json").access_token;
  const set = parseKeySet(secretSet(secret, kid));
  const verified = verify(set, ["HS256"], text);
  assert.equal(verified.bytes.toString(), payload);
  assert.throws(() => verify(set, ["EdDSA"], text), Refused, "its algorithm is pinned");
  const { sub, sid, ver, extra } = claimsOf(payload);
  assert.deepEqual([sub, sid, ver], ["42", "EREREREREREREREREREREQ", [2, 5, 6, 7]]);
  assert.deepEqual({ ...extra }, { tenant: "t-1" });
});

const encrypted = read<EncryptedVectors>("jwe.json");

test("each encrypted token of the vectors opens to the signed one with its own key alone", () => {
  const { signed, tokens } = encrypted;
  for (const { name, jwk, text } of tokens) {
    assert.equal(openerOf([JSON.stringify(jwk)])(text), signed, name);
    assert.equal(openerOf(tokens.map(({ jwk }) => JSON.stringify(jwk)))(text), signed, name);
    for (const other of tokens.filter((one) => one.jwk["kid"] !== jwk["kid"]))
      assert.throws(() => openerOf([JSON.stringify(other.jwk)])(text), Unopened, name);
  }
});

test("no encrypted token that the vectors refuse is opened, and none of which a byte was changed", () => {
  const { jwk, text } = encrypted.tokens.find(({ name }) => name === "A256KW")!;
  const open = openerOf([JSON.stringify(jwk)]);
  assert.ok(encrypted.refused.length >= 15);
  for (const { why, text } of encrypted.refused) assert.throws(() => open(text), why);
  for (let segment = 0; segment < 5; segment += 1) {
    const parts = text.split(".").map((part) => Buffer.from(part, "base64url"));
    parts[segment]![parts[segment]!.length - 1]! ^= 1;
    assert.throws(() => open(parts.map((part) => part.toString("base64url")).join(".")));
  }
});

test("a key that opens nothing, or is another's half, is refused by its member", () => {
  const [p256, , x25519, wrapping] = encrypted.tokens.map(({ jwk }) => jwk);
  for (const jwk of [
    { ...p256, d: undefined },
    { ...p256, d: x25519!["d"] },
    { ...p256, y: p256!["x"] },
    { ...p256, use: "sig" },
    { ...p256, alg: "A256KW" },
    { ...p256, enc: "A128GCM" },
    { ...p256, crv: "P-384" },
    { ...x25519, d: p256!["d"] },
    { ...wrapping, alg: "A128KW" },
    { ...wrapping, alg: undefined },
    { ...wrapping, k: "AAAA" },
    { ...wrapping, kid: "" },
  ])
    assert.throws(() => openerOf([JSON.stringify(jwk)]), Malformed, JSON.stringify(jwk));
  assert.throws(() => openerOf([]), Malformed);
  assert.throws(() => openerOf([JSON.stringify(p256), JSON.stringify(p256)]), Malformed);
});

test("what is in an encrypted token is verified as every token is, and found by its whole text afterwards", () => {
  const { secret, kid } = read<TokenVectors>("tokens.json").access_token;
  const { signed, tokens } = encrypted;
  const keys = secretSet(secret, kid);
  const verifier = (other: Partial<Options> = {}) =>
    createVerifier({
      issuer: "https://id.example.com",
      audience: "demo-api",
      algorithms: ["HS256"],
      keys,
      now: () => ({ wall: 1_700_000_010_000, monotonic: 0 }),
      ...other,
    });
  const refused = (own: ReturnType<typeof verifier>, token: string) => {
    try {
      own.check(token, offline());
      return undefined;
    } catch (why) {
      return why instanceof Rejected ? JSON.stringify(why.refusal) : why;
    }
  };
  const decryptWith = tokens.map(({ jwk }) => JSON.stringify(jwk));
  const opens = verifier({ decryptWith, requireEncrypted: true });
  for (const { text } of tokens) {
    assert.equal(opens.check(text, offline()).claims.sub, "42");
    assert.match(String(refused(verifier(), text)), /is encrypted/);
    const other = verifier({
      decryptWith: [decryptWith.at(-1)!],
      keys: secretSet("11".repeat(32), kid),
    });
    assert.match(String(refused(other, text)), /"untrusted"/);
  }
  assert.match(String(refused(opens, signed)), /not_encrypted/);
  assert.equal(refused(verifier({ decryptWith }), signed), undefined);
  assert.throws(() => verifier({ requireEncrypted: true }), TypeError);
});
