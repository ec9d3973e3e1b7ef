/** Tokens that are not plain: opaque ones, ones that last, ones that are bound to a key. */

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import {
  bounded,
  offline,
  Rejected,
  strict,
  type Presented,
  type Verifier,
} from "../../src/index.js";
import { Activity, Teller } from "../../src/activity.js";
import { httpOf, type FetchError } from "../../src/http.js";
import { b64, jws, newKey } from "../issuer.js";
import {
  admitted,
  asked,
  OPENS,
  startAuthority,
  until,
  verdict,
  type Authority,
} from "./authority.js";

let authority: Authority;
let verifier: Verifier;

before(async () => {
  authority = await startAuthority();
  verifier = await authority.verifier({ publicUrl: "https://api.example.com/v2" });
});

after(async () => {
  verifier.close();
  await authority.stop();
});

test("an opaque token is asked about once, and refused from memory once its session ended", async () => {
  const { access_token, session_id } = await authority.signIn("opaque", {
    client_id: "opaque",
    roles: ["a"],
  });
  assert.match(access_token, /^sym_at_/);
  for (const policy of [bounded(60_000), strict(60_000), offline()])
    assert.equal(verdict(verifier, access_token, policy), "ask");
  const { claims, ended } = await admitted(verifier, access_token);
  assert.deepEqual([claims.sub, claims.sid, claims.roles], ["opaque", session_id, ["a"]]);
  assert.equal(verdict(verifier, access_token), "in", "what was told is kept");
  assert.equal(
    verdict(verifier, access_token, bounded(60_000, { scope: "x" })),
    "insufficient_scope",
  );
  await authority.api("PUT", "/v1/subjects/opaque", { roles: ["b"], claims: {} });
  await until(() => verdict(verifier, access_token) === "ask", "it must be asked about again");
  assert.deepEqual((await admitted(verifier, access_token)).claims.roles, ["b"]);
  assert.equal(verdict(verifier, access_token), "in");
  const watched = ended();
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  assert.equal(await watched, "kicked");
  assert.equal(verdict(verifier, access_token), "revoked kicked");
  assert.equal(await asked(verifier, access_token), "revoked kicked");
  const forged = access_token.slice(0, -4) + (access_token.endsWith("AAAA") ? "AAAE" : "AAAA");
  assert.equal(await asked(verifier, forged), "revoked");
  assert.equal(verdict(verifier, forged), "ask", "a no is not kept");
});

test("a token that lasts as long as its session is asked about once when a role changed, and goes on with what holds", async () => {
  const { access_token } = await authority.signIn("sliding", {
    client_id: "sliding",
    roles: ["a"],
  });
  assert.equal(verdict(verifier, access_token), "in");
  await authority.api("PUT", "/v1/subjects/sliding", { roles: ["b"], claims: {} });
  await until(() => verdict(verifier, access_token) === "ask", "it must be asked about");
  const { claims } = await admitted(verifier, access_token, strict(60_000, { role: "b" }));
  assert.deepEqual(claims.roles, ["b"]);
  assert.equal(verdict(verifier, access_token, strict(60_000, { role: "b" })), "in");
  assert.equal(
    verdict(verifier, access_token, strict(60_000, { role: "a" })),
    "insufficient_scope",
  );
  await authority.api("PUT", "/v1/subjects/sliding/ban", {});
  await until(() => verdict(verifier, access_token) === "revoked banned", "it is refused");
});

test("what a thin token leaves out is asked for once, and a change of it makes the token stale", async () => {
  const signIn = () => authority.signIn("thin", { client_id: "thin", claims: { tenant: "t-1" } });
  await authority.api("PUT", "/v1/subjects/thin", { roles: ["a"], claims: {} });
  const { access_token } = await signIn();
  assert.equal(verdict(verifier, access_token, offline()), "ask");
  const { claims } = await admitted(verifier, access_token, strict(60_000, { role: "a" }));
  assert.deepEqual([claims.roles, { ...claims.extra }], [["a"], { tenant: "t-1" }]);
  assert.equal(verdict(verifier, access_token, strict(60_000, { role: "a" })), "in");
  await authority.api("PUT", "/v1/subjects/thin", { roles: ["b"], claims: {} });
  await until(() => verdict(verifier, access_token) === "stale", "it is stale");
  const next = await signIn();
  assert.equal(await asked(verifier, next.access_token, strict(60_000, { role: "b" })), "in");
});

test("a token that is bound to features is refused, since nobody here compares them", async () => {
  const { access_token } = await authority.signIn("featured", {
    client_id: "featured",
    features: "screen 7x7",
  });
  assert.equal(verdict(verifier, access_token), "unverifiable");
  assert.equal(await asked(verifier, access_token, offline()), "unverifiable");
});

test("the authority takes reports of which sessions were used", async () => {
  const activity = new Activity();
  const troubles: FetchError[] = [];
  const teller = new Teller(activity, {
    http: httpOf(fetch),
    apiKey: authority.apiKey,
    url: `${authority.url}/v1/activity`,
    failed: (why) => void troubles.push(why),
  });
  const { session_id } = await authority.signIn("used", { client_id: "sliding" });
  activity.mark(session_id, Date.now());
  await teller.tell();
  assert.deepEqual([troubles, activity.size, activity.dropped], [[], 0, 0]);
});

test("an encrypted token is opened, verified, and refused when its session ends", async () => {
  const own = await authority.verifier({
    audience: "sealed-api",
    decryptWith: [OPENS],
    requireEncrypted: true,
  });
  const { access_token, session_id } = await authority.signIn("sealed", { client_id: "sealed" });
  assert.equal(access_token.split(".").length, 5);
  assert.equal(own.check(access_token, offline()).claims.sub, "sealed");
  assert.equal(own.check(access_token, offline()).claims.sub, "sealed");
  assert.equal(own.status().cacheHits, 1);
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  await until(() => verdict(own, access_token) === "revoked kicked", "it is refused");
  own.close();
  const asks = await authority.verifier({
    audience: "sealed-api",
    decryptWith: [OPENS],
    feed: undefined as never,
    introspection: { apiKey: authority.apiKey },
  });
  const other = await authority.signIn("sealed-2", { client_id: "sealed" });
  assert.equal(await asked(asks, other.access_token), "in", "asked about by what is inside");
  assert.equal(await asked(asks, access_token), "revoked");
  asks.close();
});

test("a bound token is let in with a proof of its key for this very request, once", async () => {
  const key = newKey("ES256");
  const { kty, crv, x, y } = key.jwk;
  const jwk = { kty, crv, x, y };
  const thumbprint = JSON.stringify({ crv, kty, x, y });
  const jkt = createHash("sha256").update(thumbprint).digest("base64url");
  const { access_token: token } = await authority.signIn("bound", { client_id: "bound", jkt });
  const proof = (other: object = {}, signer = key, own: object = jwk) =>
    jws(
      signer,
      { typ: "dpop+jwt", jwk: own, kid: undefined },
      {
        jti: randomUUID(),
        htm: "GET",
        htu: "https://api.example.com/v2/orders",
        iat: Math.floor(Date.now() / 1000),
        ath: createHash("sha256").update(token).digest("base64url"),
        ...other,
      },
    );
  const shown = (proof?: string): Presented => ({
    token,
    scheme: "DPoP",
    method: "GET",
    url: "/orders?page=2",
    proof,
  });
  const refused = (presented: Presented) =>
    verifier.admit(presented).then(
      () => undefined,
      (why: Rejected) => why,
    );
  const good = proof();
  assert.equal((await verifier.admit(shown(good))).claims.jkt, jkt);
  assert.match((await refused(shown(good)))?.message ?? "", /used before/);
  assert.equal(await asked(verifier, token), "binding", "as a bearer token");
  assert.equal((await refused(shown()))?.reason, "proof");
  for (const other of [
    { htm: "POST" },
    { htu: "https://api.example.com/orders" },
    { ath: undefined },
  ])
    assert.equal((await refused(shown(proof(other))))?.reason, "proof", JSON.stringify(other));
  const thief = newKey("ES256");
  const theirs = { kty: thief.jwk.kty, crv: thief.jwk.crv, x: thief.jwk.x, y: thief.jwk.y };
  assert.equal((await refused(shown(proof({}, thief, theirs))))?.reason, "binding");
  assert.equal((await refused(shown(proof({}, thief))))?.reason, "proof", "signed by another key");
  const late = await refused(shown(proof({ iat: 1 })));
  assert.match(late?.challenge ?? "", /^DPoP error="use_dpop_nonce"/);
  const nonce = late!.dpopNonce;
  assert.equal((await verifier.admit(shown(proof({ iat: 1, nonce })))).claims.sub, "bound");
  assert.equal((await refused(shown(proof({ nonce: b64(Buffer.alloc(16)) }))))?.dpopNonce, nonce);
  const plain = await authority.signIn("not-bound");
  assert.equal(
    (await refused({ ...shown(proof()), token: plain.access_token }))?.reason,
    "binding",
  );
});
