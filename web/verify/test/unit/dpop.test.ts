import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { noncesOf, Proofs } from "../../src/dpop.js";
import { Rejected } from "../../src/rejected.js";
import type { Presented } from "../../src/presented.js";
import { AT, b64, jws, newKey, now, type Key } from "../issuer.js";

const key = newKey("ES256");
const bareOf = ({ jwk: { kid: _, alg: __, use: ___, ...bare } }: Key) => bare;
const thumbprintOf = (of: Key) => {
  const sorted = Object.entries(bareOf(of)).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify(Object.fromEntries(sorted)))
    .digest("base64url");
};
const jkt = thumbprintOf(key);
const hash = (text: string) => createHash("sha256").update(text).digest("base64url");

let drawn = 0;
const proof = (other: object = {}, header: object = {}, signer = key): string =>
  jws(
    signer,
    { typ: "dpop+jwt", jwk: bareOf(signer), kid: undefined, ...header },
    {
      jti: `p-${(drawn += 1)}`,
      htm: "GET",
      htu: "https://api.example.com/v2/orders",
      iat: AT,
      ath: hash("the token"),
      ...other,
    },
  );

const shown = (proof: string | undefined, other: Partial<Presented> = {}): Presented => ({
  token: "the token",
  scheme: "DPoP",
  method: "GET",
  url: "/orders?page=2",
  proof,
  ...other,
});

const nonces = noncesOf(Buffer.alloc(32, 7));
const proofs = () => new Proofs("https://api.example.com/v2/", () => nonces);

/** What is said of a request: the name of its proof is used up if it is good. */
function said(presented: Presented, bound: string | null = jkt, own = proofs(), ms = 0): string {
  try {
    own.spend(own.check(presented, bound ?? undefined, now(ms)), now(ms));
    return "in";
  } catch (why) {
    assert.ok(why instanceof Rejected, String(why));
    return why.refusal.is === "proof" ? `proof: ${why.message}` : why.refusal.is;
  }
}

test("a proof of each algorithm is good for its own request", () => {
  for (const alg of ["EdDSA", "ES256", "RS256"] as const) {
    const own = newKey(alg);
    assert.equal(said(shown(proof({}, {}, own)), thumbprintOf(own)), "in", alg);
  }
});

test("a proof for anything else is to be made anew, and says why", () => {
  for (const [text, why] of [
    [undefined, /is missing/],
    ["x", /is no proof/],
    [proof({}, { typ: "JWT" }), /typ/],
    [proof({}, { jwk: undefined }), /jwk: is missing/],
    [proof({}, { jwk: { ...bareOf(key), d: "x" } }), /private member/],
    [proof({}, { jwk: { kty: "oct", k: b64(Buffer.alloc(32)) } }), /must be OKP, EC or RSA/],
    [proof({}, { jwk: bareOf(newKey("ES256")) }), /does not verify/],
    [proof({}, { alg: "ES384" }), /alg/],
    [proof({}, { crit: ["x"] }), /crit/],
    [proof({ jti: "" }), /jti/],
    [proof({ jti: "x".repeat(257) }), /jti/],
    [proof({ htm: "get" }), /another method/],
    [proof({ htm: "G T" }), /is not a method/],
    [proof({ htu: "https://api.example.com/orders" }), /another URL/],
    [proof({ htu: "https://other.example/v2/orders" }), /another URL/],
    [proof({ htu: "/v2/orders" }), /not a URL/],
    [proof({ ath: undefined }), /not for this access token/],
    [proof({ ath: hash("another") }), /not for this access token/],
    [proof({ iat: AT - 61 }), /dated too far/],
    [proof({ iat: AT + 11 }), /dated too far/],
    [proof({ nonce: "x" }), /must repeat the nonce/],
    ["x".repeat(8193), /longer than 8 KiB/],
  ] as const)
    assert.match(said(shown(text)), why, String(why));
  for (const other of [
    { iat: AT - 60 },
    { iat: AT + 10 },
    { htu: "HTTPS://API.example.com:443/v2/%6Frders" },
  ])
    assert.equal(said(shown(proof(other))), "in", JSON.stringify(other));
});

test("what is bound is no bearer token, what is not bound came not as DPoP, and another's proof is theft", () => {
  assert.equal(said(shown(proof(), { scheme: "Bearer" })), "binding");
  assert.equal(said(shown(proof()), null), "binding");
  assert.equal(said({ token: "x", scheme: "Bearer" }, null), "in");
  assert.equal(said(shown(proof({}, {}, newKey("ES256")))), "binding");
});

test("without the URL of the service no proof can be for it", () => {
  const nowhere = new Proofs(undefined, () => nonces);
  assert.equal(said(shown(proof()), jkt, nowhere), "unverifiable");
  assert.equal(
    said(shown(proof(), { url: "https://api.example.com/v2/orders" }), jkt, nowhere),
    "in",
  );
  assert.equal(said(shown(proof(), { method: undefined })), "unverifiable");
});

test("a proof is good once, for as long as it could be good at all", () => {
  const own = proofs();
  const text = proof({ nonce: nonces.current(now().wall) });
  assert.equal(said(shown(text), jkt, own), "in");
  for (const ms of [0, 1, 59_000, 60_000, 99_000])
    assert.match(said(shown(text), jkt, own, ms), /used before/);
  assert.match(said(shown(text), jkt, own, 121_000), /must repeat the nonce/);
});

test("a nonce is good for the minute in which it was handed out and for the next", () => {
  const nonce = nonces.current(now().wall);
  for (const ms of [0, 60_000])
    assert.equal(said(shown(proof({ iat: 1, nonce })), jkt, proofs(), ms), "in");
  assert.match(said(shown(proof({ iat: 1, nonce })), jkt, proofs(), 120_000), /must repeat/);
  const foreign = noncesOf(Buffer.alloc(32, 8)).current(now().wall);
  assert.match(said(shown(proof({ nonce: foreign }))), /must repeat/);
  const without = new Proofs("https://api.example.com/v2", () => undefined);
  assert.equal(
    said(shown(proof({ nonce: foreign })), jkt, without),
    "in",
    "it proves nothing and harms nothing",
  );
});
