/** The demo API of `dev` is built of the Rust verifier: the same token must be answered alike here and there. */

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { guard } from "../../src/fetch.js";
import { bounded, type Verifier } from "../../src/index.js";
import { b64, jws, newKey } from "../issuer.js";
import { startAuthority, until, verdict, type Authority } from "./authority.js";

let authority: Authority;
let verifier: Verifier;

before(async () => {
  authority = await startAuthority();
  verifier = await authority.verifier();
});

after(async () => {
  verifier.close();
  await authority.stop();
});

const ORDERS = () =>
  guard(verifier, bounded(60_000, { scope: "orders:read" }), () => new Response("orders"));

/** What both say to these headers: status and challenge. */
async function both(headers: Record<string, string>): Promise<readonly [string, string]> {
  const shown = new Request("https://api.example.com/orders", { headers });
  const answers = [await ORDERS()(shown), await fetch(`${authority.demo}/orders`, { headers })];
  const [own, rust] = answers.map(
    ({ status, headers }) => `${status} ${headers.get("www-authenticate") ?? ""}`,
  );
  return [own!, rust!];
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const changed = (token: string, header: object, payload: object): string => {
  const [first, second, signature] = token.split(".");
  const merged = (part: string, more: object) =>
    b64(
      JSON.stringify({
        ...(JSON.parse(Buffer.from(part, "base64url").toString()) as object),
        ...more,
      }),
    );
  return [merged(first!, header), merged(second!, payload), signature].join(".");
};

test("every kind of token is answered as the Rust verifier answers it", async () => {
  const good = await authority.signIn("42");
  const other = await authority.signIn("42", { client_id: "other" });
  const token = good.access_token;
  const [head, , signature] = token.split(".");
  const cases: Readonly<Record<string, Record<string, string>>> = {
    good: bearer(token),
    "no token": {},
    "another scheme": { authorization: "Basic YTpi" },
    "no token after the scheme": { authorization: "Bearer " },
    "as DPoP, and not bound": { authorization: `DPoP ${token}` },
    "a refresh token": bearer(good.refresh_token),
    "an API key": bearer(authority.apiKey),
    "another audience's": bearer(other.access_token),
    "changed claims": bearer(changed(token, {}, { sub: "1" })),
    "alg none": bearer(changed(token, { alg: "none" }, {})),
    "alg HS256": bearer(changed(token, { alg: "HS256" }, {})),
    "another typ": bearer(changed(token, { typ: "JWT" }, {})),
    crit: bearer(changed(token, { crit: ["exp"] }, {})),
    "its own key": bearer(changed(token, { jwk: {} }, {})),
    "an unknown key": bearer(changed(token, { kid: "AAAAAAAAAAAAAAAA" }, {})),
    "no kid": bearer(changed(token, { kid: undefined }, {})),
    cut: bearer(token.slice(0, -1)),
    padded: bearer(`${token}=`),
    "two segments": bearer(`${head}.${signature}`),
    "five segments": bearer(`${token}.a.b`),
    "no signature": bearer(token.slice(0, token.lastIndexOf(".") + 1)),
    text: bearer("hello"),
    "an opaque token of the wrong form": bearer("sym_at_x"),
  };
  for (const [name, headers] of Object.entries(cases)) {
    const [own, rust] = await both(headers);
    assert.equal(own, rust, name);
  }
});

test("what happened to a session is told in the same words", async () => {
  const end = (reason: string) => async (sid: string) =>
    void (await authority.api("DELETE", `/v1/sessions/${sid}?reason=${reason}`));
  const ends: Readonly<Record<string, (sid: string, subject: string) => Promise<void>>> = {
    kicked: end("kicked"),
    password_changed: end("password_changed"),
    banned: async (_, subject) =>
      void (await authority.api("PUT", `/v1/subjects/${subject}/ban`, {})),
    stale: async (_, subject) =>
      void (await authority.api("PUT", `/v1/subjects/${subject}`, { roles: ["x"], claims: {} })),
    "less scope": async () => {},
  };
  for (const [name, happens] of Object.entries(ends)) {
    const subject = `ends-${name.replace(" ", "-")}`;
    const other = name === "less scope" ? { scope: "" } : {};
    const { access_token, session_id } = await authority.signIn(subject, other);
    await happens(session_id, subject);
    await until(
      () => name === "less scope" || verdict(verifier, access_token) !== "in",
      "it is heard",
    );
    const agree = async () => {
      const [own, rust] = await both(bearer(access_token));
      return own === rust;
    };
    await until(agree, `both say the same of ${name}`);
    const [own] = await both(bearer(access_token));
    console.log(`# ${name}: ${own}`);
    assert.notEqual(own, "200 ");
  }
});

test("features are answered as the Rust verifier answers them", async () => {
  const { access_token } = await authority.signIn("same-features", {
    client_id: "featured",
    features: "screen 7x7",
  });
  for (const features of [
    { "x-symbolon-features": "screen 7x7" },
    { "x-symbolon-features": "no" },
    {},
  ]) {
    const [own, rust] = await both({ ...bearer(access_token), ...features } as Record<
      string,
      string
    >);
    assert.equal(own, rust, JSON.stringify(features));
  }
});

test("the proof of a bound token is asked for by the same nonce, and taken alike", async () => {
  const key = newKey("ES256");
  const { kty, crv, x, y } = key.jwk;
  const jkt = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  const { access_token } = await authority.signIn("bound", { client_id: "bound", jkt });
  const own = await authority.verifier({ publicUrl: authority.demo });
  const answer = guard(own, bounded(60_000), () => new Response("orders"));
  const proof = (other: object) =>
    jws(
      key,
      { typ: "dpop+jwt", jwk: { kty, crv, x, y }, kid: undefined },
      {
        jti: randomUUID(),
        htm: "GET",
        htu: `${authority.demo}/orders`,
        iat: Math.floor(Date.now() / 1000),
        ath: createHash("sha256").update(access_token).digest("base64url"),
        ...other,
      },
    );
  const both = async (other: object) => {
    const headers = { authorization: `DPoP ${access_token}`, dpop: proof(other) };
    const url = `${authority.demo}/orders`;
    const answers = [await answer(new Request(url, { headers })), await fetch(url, { headers })];
    return answers.map(({ status, headers }) =>
      [status, headers.get("www-authenticate"), headers.get("dpop-nonce")].join(" "),
    );
  };
  for (const other of [
    {},
    { htm: "POST" },
    { htu: "https://x.example/" },
    { ath: undefined },
    { jti: "" },
  ]) {
    const [node, rust] = await both(other);
    assert.equal(node, rust, JSON.stringify(other));
  }
  // A nonce is handed out for a minute, which may end between the two.
  await until(async () => {
    const [node, rust] = await both({ iat: 1 });
    assert.match(node!, /use_dpop_nonce.* [\w-]{22}$/);
    return node === rust;
  }, "both hand out the same nonce");
  own.close();
});
