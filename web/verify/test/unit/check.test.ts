import assert from "node:assert/strict";
import { test } from "node:test";
import { bearer, bounded, createVerifier, offline, Rejected, strict } from "../../src/index.js";
import type { Options } from "../../src/options.js";
import { presentedOf, type Presented } from "../../src/presented.js";
import { AT, AUDIENCE, b64, claims, ISSUER, jws, jwksOf, newKey, now, token } from "../issuer.js";

const key = newKey();

const verifier = (other: Partial<Options> = {}) =>
  createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: jwksOf(key),
    now: () => now(),
    ...other,
  });

/** What a token is rejected with; nothing if it is let in. */
function refused(shown: string | Presented, policy = offline(), own = verifier()) {
  try {
    own.check(shown, policy);
    return undefined;
  } catch (why) {
    assert.ok(why instanceof Rejected, String(why));
    return why;
  }
}

test("a good token of each algorithm is let in, and says who it is", () => {
  for (const alg of ["EdDSA", "ES256", "RS256"] as const) {
    const own = newKey(alg);
    const { claims } = verifier({ keys: jwksOf(own), algorithms: [alg] }).check(
      token(own),
      offline(),
    );
    assert.deepEqual([claims.sub, claims.roles, claims.aud], ["42", ["buyer"], [AUDIENCE]], alg);
  }
});

test("what is wrong with a token is told by its word", () => {
  const other = newKey();
  const unsigned = token(key).replace(/[^.]*$/, "");
  const changed = token(key).replace(/\.[^.]*\./, `.${b64(JSON.stringify(claims({ sub: "1" })))}.`);
  const noAlgorithm = `${b64(JSON.stringify({ alg: "none", typ: "at+jwt", kid: key.kid }))}.${b64(JSON.stringify(claims()))}.`;
  const cases: readonly (readonly [string, string])[] = [
    ["", "malformed"],
    ["sym_rt_AAEAAAACEREREREREREREREREREREQ", "malformed"],
    ["a.b", "malformed"],
    ["a.b.c.d", "malformed"],
    [`${token(key)}.x`, "malformed"],
    [`${token(key)}.`, "malformed"],
    ["x".repeat(17_000), "malformed"],
    [`${token(key)}=`, "malformed"],
    [`${token(key)} `, "malformed"],
    [unsigned, "untrusted signature"],
    [changed, "untrusted signature"],
    [noAlgorithm, "untrusted algorithm"],
    [token(other), "untrusted key"],
    [jws(key, { typ: "JWT" }, claims()), "untrusted type"],
    [jws(key, {}, claims()), "untrusted type"],
    [jws(key, { typ: "symbolon-checkpoint+jwt" }, claims()), "untrusted type"],
    [jws(key, { typ: "at+jwt", alg: "ES256" }, claims()), "untrusted algorithm"],
    [token(key, { iss: `${ISSUER}/` }), "untrusted issuer"],
    [token(key, { iss: ISSUER.slice(0, -1) }), "untrusted issuer"],
    [token(key, { aud: "other" }), "untrusted audience"],
    [token(key, { aud: [AUDIENCE + "-2", "x"] }), "untrusted audience"],
    [token(key, { iat: AT + 11 }), "untrusted not_yet"],
    [token(key, { nbf: AT + 11 }), "untrusted not_yet"],
    [token(key, { exp: AT }), "expired"],
    [token(key, { cnf: { jkt: b64(Buffer.alloc(32)) } }), "binding"],
  ];
  for (const [shown, word] of cases) {
    const refusal = refused(shown)?.refusal;
    const what = refusal && "what" in refusal ? ` ${refusal.what}` : "";
    assert.equal(`${refusal?.is}${what}`, word, shown.slice(0, 90));
  }
});

test("a header that brings a key, or means something that is not understood, is refused", () => {
  for (const member of ["crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip"]) {
    const shown = jws(
      key,
      { typ: "at+jwt", [member]: member === "crit" ? ["exp"] : "x" },
      claims(),
    );
    assert.equal(refused(shown)?.reason, "malformed", member);
  }
  const twice = `{"alg":"EdDSA","typ":"at+jwt","kid":"${key.kid}","typ":"at+jwt"}`;
  const signed = `${b64(twice)}.${b64(JSON.stringify(claims()))}`;
  assert.equal(refused(`${signed}.${b64(key.sign(signed))}`)?.reason, "malformed");
});

test("a claim that is missing, of another form or named twice is never filled in", () => {
  for (const name of ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "ver"]) {
    assert.equal(refused(token(key, { [name]: undefined }))?.reason, "malformed", name);
    assert.equal(refused(token(key, { [name]: null }))?.reason, "malformed", name);
  }
  for (const other of [
    { exp: String(AT + 300) },
    { exp: AT + 300.5 },
    { exp: -1 },
    { exp: 253_402_300_800 },
    { nbf: "x" },
    { aud: [] },
    { aud: [AUDIENCE, 1] },
    { sub: "" },
    { sid: "short" },
    { ver: [1, 2, 3] },
    { ver: [1, 2, 3, -4] },
    { ver: [2 ** 32, 2, 3, 4] },
    { roles: "buyer" },
    { scope: ["a"] },
    { cnf: {} },
    { cnf: { jkt: b64(Buffer.alloc(32)), x5t: "a" } },
    { cnf: { features: "x", x5t: "a" } },
    { staleness: 0 },
    { staleness: "5" },
    { one_use: 1 },
    { cnf: { features: "short" } },
    { cnf: { network: 1 } },
    { cnf_reported: [] },
    { cnf: { features: b64(Buffer.alloc(16)) }, cnf_reported: { features: b64(Buffer.alloc(16)) } },
    { cnf_reported: { network: b64(Buffer.alloc(16)) }, sid: undefined },
    { rights: 7 },
    { cnf: { "x5t#S256": b64(Buffer.alloc(32)) } },
  ])
    assert.equal(refused(token(key, other))?.reason, "malformed", JSON.stringify(other));
  const twice = JSON.stringify(claims()).replace("{", '{"sub":"1",');
  const array = JSON.stringify([claims()]);
  const deep = JSON.stringify(claims({ x: "y" })).replace('"y"', "[".repeat(20) + "]".repeat(20));
  for (const text of [twice, array, deep, `${JSON.stringify(claims())} x`, "\u{feff}{}"])
    assert.equal(
      refused(jws(key, { typ: "at+jwt" }, text))?.reason,
      "malformed",
      text.slice(0, 60),
    );
});

test("a claim that a back end added is read, whatever it is called", () => {
  const text = JSON.stringify(claims({ tenant: { id: 7 } })).replace(
    "{",
    '{"__proto__":{"admin":true},',
  );
  const { extra } = verifier().check(jws(key, { typ: "at+jwt" }, text), offline()).claims;
  assert.deepEqual(Object.keys(extra), ["__proto__", "tenant"]);
  assert.deepEqual(extra["tenant"], { id: 7 });
  assert.equal((extra as { admin?: boolean }).admin, undefined);
});

test("a token that was verified before is checked again for everything that can change", () => {
  let at = now();
  const own = verifier({ now: () => at });
  const shown = token(key);
  assert.equal(own.check(shown, offline()).claims.sub, "42");
  assert.equal(own.check(shown, offline()).claims.sub, "42");
  assert.equal(own.status().cacheHits, 1);
  assert.equal(refused(shown, offline({ scope: "admin" }), own)?.status, 403);
  assert.equal(refused(shown, strict(5000), own)?.refusal.is, "ask");
  at = now(300_000);
  assert.equal(refused(shown, offline(), own)?.reason, "expired");
  assert.equal(refused(shown, offline({ leewayMs: 1000 }), own), undefined);
  at = now();
  own.replaceKeys(jwksOf(newKey()));
  assert.equal(refused(shown, offline(), own)?.reason, "untrusted", "its key is gone");
  own.replaceKeys(jwksOf(key, newKey()));
  assert.equal(refused(shown, offline(), own), undefined);
});

test("without a feed only `offline` lets anyone in, and with nobody to ask nobody is asked", async () => {
  for (const policy of [strict(5000), bounded(5000)])
    assert.equal(refused(token(key), policy)?.refusal.is, "ask");
  await assert.rejects(
    verifier().admit(token(key)),
    (why) => why instanceof Rejected && why.reason === "unverifiable",
  );
  await verifier().admit(token(key), offline());
  const opaque = `sym_at_${b64(Buffer.alloc(42, 1))}`;
  assert.deepEqual(refused(opaque)?.refusal, { is: "unverifiable", what: "opaque" });
  assert.equal(refused("sym_at_x")?.reason, "malformed");
});

test("a policy asks for scopes, roles, levels and a recent authentication", () => {
  const shown = token(key, { auth_time: AT - 60, acr: "2" });
  for (const asks of [
    { scope: "orders:read" },
    { scope: "orders:read orders:write" },
    { scope: ["orders:write"], role: "buyer" },
    { maxAge: 60 },
    { acr: ["2", "3"] },
  ])
    assert.equal(refused(shown, offline(asks)), undefined, JSON.stringify(asks));
  for (const [asks, status, challenge] of [
    [{ scope: "orders" }, 403, 'Bearer error="insufficient_scope", scope="orders"'],
    [{ role: "manager" }, 403, 'Bearer error="insufficient_scope"'],
    [{ maxAge: 59 }, 401, 'Bearer error="insufficient_user_authentication", max_age="59"'],
    [{ acr: ["3"] }, 401, 'Bearer error="insufficient_user_authentication", acr_values="3"'],
  ] as const) {
    const rejected = refused(shown, offline(asks));
    assert.deepEqual([rejected?.status, rejected?.challenge], [status, challenge]);
  }
  assert.equal(refused(token(key), offline({ maxAge: 60 }))?.reason, undefined);
  assert.throws(() => bounded(NaN), TypeError);
  assert.throws(() => strict(-1), TypeError);
});

test("no policy forgives more than a minute", () => {
  const own = verifier({ now: () => now(360_000) });
  assert.equal(refused(token(key), offline({ leewayMs: 3_600_000 }), own)?.reason, "expired");
  const earlier = verifier({ now: () => now(359_999) });
  assert.equal(refused(token(key), offline({ leewayMs: 3_600_000 }), earlier), undefined);
});

test("every rejection has its status and its challenge", () => {
  for (const [refusal, status, challenge] of [
    [{ is: "missing" }, 401, "Bearer"],
    [{ is: "malformed", why: "x" }, 401, 'Bearer error="invalid_token", reason="malformed"'],
    [{ is: "untrusted", what: "issuer" }, 401, 'Bearer error="invalid_token", reason="untrusted"'],
    [{ is: "expired" }, 401, 'Bearer error="invalid_token", reason="expired"'],
    [{ is: "stale" }, 401, 'Bearer error="invalid_token", reason="stale"'],
    [{ is: "revoked", ended: undefined }, 401, 'Bearer error="invalid_token", reason="revoked"'],
    [
      { is: "revoked", ended: "kicked" },
      401,
      'Bearer error="invalid_token", reason="revoked", ended="kicked"',
    ],
    [
      { is: "unverifiable", what: "session" },
      401,
      'Bearer error="invalid_token", reason="unverifiable"',
    ],
    [{ is: "ask" }, 401, 'Bearer error="invalid_token", reason="unverifiable"'],
    [
      { is: "binding" },
      401,
      'DPoP error="invalid_token", reason="binding", algs="EdDSA ES256 RS256"',
    ],
    [
      { is: "proof", why: "", nonce: "n" },
      401,
      'DPoP error="use_dpop_nonce", reason="proof", algs="EdDSA ES256 RS256"',
    ],
    [
      { is: "proof", why: "", nonce: undefined },
      401,
      'DPoP error="invalid_dpop_proof", reason="proof", algs="EdDSA ES256 RS256"',
    ],
    [
      { is: "insufficient_scope", needed: "a b:c" },
      403,
      'Bearer error="insufficient_scope", scope="a b:c"',
    ],
    [{ is: "insufficient_scope", needed: 'a"b' }, 403, 'Bearer error="insufficient_scope"'],
    [
      { is: "insufficient_user_authentication", max_age: 300, acr: "2 urn:x:3" },
      401,
      'Bearer error="insufficient_user_authentication", max_age="300", acr_values="2 urn:x:3"',
    ],
  ] as const) {
    const rejected = new Rejected(refusal);
    assert.deepEqual([rejected.status, rejected.challenge], [status, challenge]);
  }
});

test("a token is found whatever the case of its scheme, and nothing else is one", () => {
  for (const value of [
    "Bearer a.b.c",
    "bearer a.b.c",
    "BEARER  a.b.c ",
    "DPoP a.b.c",
    "dpop a.b.c",
  ])
    assert.equal(presentedOf(value).token, "a.b.c", value);
  for (const value of [undefined, "", "a.b.c", "Bearer", "Bearer ", "DPoP ", "Basic YTpi"])
    assert.throws(() => presentedOf(value), Rejected, value ?? "nothing");
  assert.equal(bearer("x").scheme, "Bearer");
});

test("settings that cannot be meant are refused at once", () => {
  for (const other of [
    { issuer: "" },
    { audience: "" },
    { algorithms: ["none" as "EdDSA"] },
    { algorithms: [] },
    { keys: "{}" },
    { keys: undefined as unknown as string, issuer: "http://id.example.com" },
    { keys: undefined as unknown as string, issuer: "https://me@id.example.com" },
    { feed: { apiKey: "a\nb" } },
    { nonceSecret: new Uint8Array(31) },
    { maxStalenessMs: NaN },
  ])
    assert.throws(() => verifier(other).close(), JSON.stringify(other));
});

test("what a token asks for and this version cannot do is refused, and never passed over", () => {
  const imprint = b64(Buffer.alloc(16));
  for (const [other, what] of [
    [{ cnf: { features: imprint } }, "features"],
    [{ cnf: { network: imprint, jkt: b64(Buffer.alloc(32)) } }, "address"],
    [{ rights: imprint }, "opaque"],
  ] as const) {
    assert.deepEqual(refused(token(key, other))?.refusal, { is: "unverifiable", what });
    assert.deepEqual(refused(token(key, other))?.refusal, { is: "unverifiable", what }, "again");
  }
  assert.equal(
    refused(token(key, { one_use: false, cnf_reported: { features: imprint } })),
    undefined,
  );
  assert.equal(refused(token(key, { staleness: 5 }))?.refusal.is, "ask", "it asks for knowledge");
  const once = token(key, { one_use: true });
  assert.equal(refused(once)?.refusal.is, "ask", "it lets in once");
  assert.equal(refused(once)?.refusal.is, "ask", "again");
});
