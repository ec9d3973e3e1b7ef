/** Real servers of Express and Fastify, and a handler of `Request`, before a verifier that needs no authority. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import express from "express";
import fastify from "fastify";
import * as ofExpress from "../../src/express.js";
import * as ofFastify from "../../src/fastify.js";
import * as ofFetch from "../../src/fetch.js";
import { createVerifier, offline } from "../../src/index.js";
import { AT, AUDIENCE, ISSUER, jwksOf, newKey, now, token } from "../issuer.js";

const key = newKey();
const verifier = createVerifier({
  issuer: ISSUER,
  audience: AUDIENCE,
  keys: jwksOf(key),
  now: () => now(),
});
const policy = offline({ scope: "orders:read" });

const closing: (() => unknown)[] = [];
after(() => Promise.all(closing.map((close) => close())));

async function onExpress(): Promise<string> {
  const app = express().set("env", "test");
  app.get("/livez", (_, answer) => void answer.send("up"));
  app.use("/v2", ofExpress.guard(verifier, policy));
  app.get("/v2/orders", (request, answer) => {
    answer.json({ sub: ofExpress.admittedOf(request).claims.sub });
  });
  app.get(
    "/unguarded",
    (request, answer) => void answer.json(ofExpress.admittedOf(request).claims),
  );
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function onFastify(): Promise<string> {
  const app = fastify();
  app.get("/livez", async () => "up");
  app.get("/unguarded", async (request) => ofFastify.admittedOf(request).claims);
  await app.register(async (guarded) => {
    guarded.addHook("onRequest", ofFastify.guard(verifier, policy));
    guarded.get("/v2/orders", async (request) => ({
      sub: ofFastify.admittedOf(request).claims.sub,
    }));
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  closing.push(() => app.close());
  return url;
}

for (const [name, start] of [
  ["Express", onExpress],
  ["Fastify", onFastify],
] as const) {
  test(`${name} lets the right requests in and answers the others`, async () => {
    const url = await start();
    const get = (path: string, authorization?: string) =>
      fetch(url + path, authorization ? { headers: { authorization } } : {});
    assert.equal(await (await get("/livez")).text(), "up");
    const good = await get("/v2/orders", `Bearer ${token(key)}`);
    assert.deepEqual([good.status, await good.json()], [200, { sub: "42" }]);
    for (const [authorization, status, challenge] of [
      [undefined, 401, "Bearer"],
      [`Bearer ${token(key, { exp: AT })}`, 401, 'Bearer error="invalid_token", reason="expired"'],
      [
        `Bearer ${token(key, { scope: "" })}`,
        403,
        'Bearer error="insufficient_scope", scope="orders:read"',
      ],
      [
        `DPoP ${token(key)}`,
        401,
        'DPoP error="invalid_token", reason="binding", algs="EdDSA ES256 RS256"',
      ],
    ] as const) {
      const refused = await get("/v2/orders", authorization);
      assert.equal(refused.status, status);
      assert.equal(refused.headers.get("www-authenticate"), challenge);
      assert.equal(refused.headers.get("cache-control"), "no-store");
      assert.equal(await refused.text(), "");
    }
    assert.equal((await get("/unguarded", `Bearer ${token(key)}`)).status, 500, "nobody looked");
  });

  test(`${name} refuses a request with two tokens, since whatever stands behind may read the other`, async () => {
    const { hostname, port } = new URL(await start());
    const socket = connect(Number(port), hostname);
    const header = `Authorization: Bearer ${token(key)}\r\n`;
    socket.write(
      `GET /v2/orders HTTP/1.1\r\nHost: x\r\n${header}${header}Connection: close\r\n\r\n`,
    );
    let text = "";
    for await (const bytes of socket) text += String(bytes);
    assert.match(text, /^HTTP\/1\.1 401 .*\r\n/);
    assert.match(text, /www-authenticate: Bearer\r\n/i);
  });
}

test("a handler of Request is reached by what is let in, with who it was and all other arguments", async () => {
  const orders = ofFetch.guard(verifier, policy, (_, { claims }, page: number) =>
    Response.json({ sub: claims.sub, page }),
  );
  const ask = (headers: Headers) => orders(new Request("https://x.example/orders", { headers }), 7);
  const good = await ask(new Headers({ authorization: `bearer ${token(key)}` }));
  assert.deepEqual(await good.json(), { sub: "42", page: 7 });
  const refused = await ask(new Headers());
  assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Bearer"]);
  const two = new Headers({ authorization: `Bearer ${token(key)}` });
  two.append("authorization", `Bearer ${token(key)}`);
  assert.equal((await ask(two)).status, 401);
});
