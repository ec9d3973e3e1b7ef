/** Tokens that are not plain: opaque ones, ones that last, ones that are bound to a key. */

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import {
  bounded,
  createVerifier,
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

/** With what word a token is rejected that is shown with this. */
const shownWith = (token: string, beside: Partial<Presented>, own = verifier): Promise<string> =>
  own.admit({ token, scheme: "Bearer", ...beside }, bounded(60_000)).then(
    () => "in",
    (why: Rejected) => why.refusal.is,
  );

test("a token that is bound to features is let in with those of its sign-in, and with no others", async () => {
  const { access_token: token } = await authority.signIn("featured", {
    client_id: "featured",
    features: "screen 7x7",
  });
  assert.equal(await shownWith(token, { features: "screen 7x7" }), "in");
  assert.equal(await shownWith(token, { features: "screen 7x8" }), "elsewhere");
  assert.equal(await shownWith(token, { features: null }), "elsewhere");
  assert.equal(await shownWith(token, { features: "x".repeat(1025) }), "elsewhere");
  assert.equal(await shownWith(token, {}), "unverifiable", "nobody has looked");
  assert.equal(await shownWith(token, { features: "screen 7x7" }), "in", "as before");
  const only = bounded(60_000, { reportBindings: true });
  const { bindingsReported } = verifier.status();
  await verifier.admit({ token, scheme: "Bearer", features: "other" }, only);
  assert.equal(verifier.status().bindingsReported, bindingsReported + 1);
});

test("a token that is bound to a network is let in from there, however an address is written", async () => {
  for (const [ip, same, other] of [
    [
      "203.0.113.7",
      ["203.0.113.7", "203.0.113.250", "::ffff:203.0.113.9", "::ffff:cb00:7101"],
      ["203.0.112.7", "2001:db8::1"],
    ],
    [
      "2001:db8:1:1::5",
      ["2001:db8:1:1::5", "2001:DB8:1:00ff::", "2001:db8:1:2:3:4:5:6", "2001:db8:1:f0::%eth0"],
      ["2001:db8:1:100::5", "2001:db8::1", "203.0.113.7"],
    ],
  ] as const) {
    const other_ = { client_id: "placed", ip };
    const { access_token: token } = await authority.signIn(`placed-${ip}`, other_);
    for (const ip of same) assert.equal(await shownWith(token, { ip }), "in", ip);
    for (const ip of other) assert.equal(await shownWith(token, { ip }), "elsewhere", ip);
    assert.equal(await shownWith(token, { ip: "unix:" }), "unverifiable");
    assert.equal(await shownWith(token, {}), "unverifiable");
  }
});

test("what is only reported refuses nobody and is counted", async () => {
  const { access_token: token } = await authority.signIn("watched", {
    client_id: "watched",
    features: "screen 7x7",
    ip: "203.0.113.7",
  });
  const counted = async (beside: Partial<Presented>) => {
    const before = verifier.status().bindingsReported;
    assert.equal(await shownWith(token, beside), "in");
    return verifier.status().bindingsReported - before;
  };
  assert.equal(await counted({ features: "screen 7x7", ip: "203.0.113.8" }), 0);
  assert.equal(await counted({ features: "screen 7x7", ip: "203.0.114.8" }), 1);
  assert.equal(await counted({}), 1);
});

test("a token for one use lets in once, at one of all services", async () => {
  const audience = "once-api";
  const [own, other] = [
    await authority.verifier({ audience }),
    await authority.verifier({ audience }),
  ];
  const sign = () => authority.signIn("once", { client_id: "once" });
  const { access_token: token } = await sign();
  assert.equal(verdict(own, token), "ask", "only the authority knows");
  assert.equal(await shownWith(token, {}, own), "in");
  assert.equal(await shownWith(token, {}, own), "used");
  assert.equal(await shownWith(token, {}, other), "used", "at another service");
  const { access_token: raced } = await sign();
  const words = await Promise.all([own, other, own, other].map((one) => shownWith(raced, {}, one)));
  assert.deepEqual(words.sort(), ["in", "used", "used", "used"]);
  const { access_token: spared, session_id } = await sign();
  const needs = bounded(60_000, { scope: "orders:write" });
  await assert.rejects(own.admit(spared, needs), (why: Rejected) => why.status === 403);
  assert.equal(await shownWith(spared, {}, own), "in", "what did not suffice was not used up");
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  await until(async () => (await shownWith(spared, {}, own)) === "revoked", "it is heard");
  const keys = await (await fetch(`${authority.url}/.well-known/jwks.json`)).text();
  const alone = createVerifier({ issuer: authority.url, audience, keys });
  const { access_token: last } = await sign();
  assert.equal(await shownWith(last, {}, alone), "unverifiable", "without an API key");
  assert.equal(await shownWith(last, {}, own), "in");
  for (const one of [own, other, alone]) one.close();
});

test("a ticket is redeemed once, and earns a token for as long as a socket is open", async () => {
  const { session_id } = await authority.signIn("ticketed");
  const get = async (other: object = {}) =>
    (await authority.api("POST", "/v1/tickets", { session_id, ...other }))["ticket"] as string;
  const ticket = await get();
  const { claims, token, ended } = await verifier.redeem(ticket);
  assert.equal(claims.sub, "ticketed");
  assert.equal(await asked(verifier, token), "in");
  const word = (ticket: string) =>
    verifier.redeem(ticket).then(
      () => "in",
      (why: Rejected) => why.refusal.is,
    );
  assert.equal(await word(ticket), "expired", "used");
  assert.equal(await word(`sym_tk_${"A".repeat(22)}`), "malformed");
  assert.equal(await word(token), "malformed", "not a ticket");
  const late = await get();
  const over = ended();
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  assert.equal(await over, "kicked");
  assert.equal(await word(late), "revoked");
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
