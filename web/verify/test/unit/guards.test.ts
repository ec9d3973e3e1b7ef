/** Real servers of Express and Fastify, and a handler of `Request`, before a verifier that needs no authority. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { after, test } from "node:test";
import express from "express";
import fastify from "fastify";
import * as ofExpress from "../../src/express.js";
import * as ofFastify from "../../src/fastify.js";
import * as ofFetch from "../../src/fetch.js";
import { createVerifier, offline } from "../../src/index.js";
import { AT, AUDIENCE, b64, ISSUER, jwksOf, newKey, now, token } from "../issuer.js";

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

/** What a token says that is bound to these features and to 127.0.0.0/24, for session `sid`. */
function boundTo(features: string, sid: Buffer): object {
  const imprint = (kind: string, own: Buffer) =>
    b64(
      createHash("sha256")
        .update(`symbolon imprint ${kind}`)
        .update(sid)
        .update(own)
        .digest()
        .subarray(0, 16),
    );
  return {
    features: imprint("feature", createHash("sha256").update(features).digest()),
    network: imprint("network", Buffer.from("00000000000000000000ffff7f000000", "hex")),
  };
}

test("guards read the features of a request, and are told where it comes from", async () => {
  const sid = Buffer.alloc(16, 7);
  const authorization = `Bearer ${token(key, { sid: b64(sid), cnf: boundTo("screen 7x7", sid) })}`;
  const app = express();
  const sees = { ipFrom: ({ socket }: IncomingMessage) => socket.remoteAddress };
  app.use("/told", ofExpress.guard(verifier, policy, sees));
  app.use("/untold", ofExpress.guard(verifier, policy));
  app.use((_, answer) => void answer.send("in"));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  const fast = fastify();
  fast.get(
    "/told",
    {
      onRequest: ofFastify.guard(verifier, policy, {
        ipFrom: ({ ip }) => ip,
      }),
    },
    async () => "in",
  );
  fast.get("/untold", { onRequest: ofFastify.guard(verifier, policy) }, async () => "in");
  const fastAt = await fast.listen({ port: 0, host: "127.0.0.1" });
  closing.push(() => fast.close());
  const handler = () => new Response("in");
  const told = ofFetch.guard(verifier, policy, handler, { ipFrom: () => "127.0.0.9" });
  const untold = ofFetch.guard(verifier, policy, handler);
  const servers = [`http://127.0.0.1:${(server.address() as { port: number }).port}`, fastAt];
  const ways: readonly ((path: string, headers: Headers) => Promise<Response>)[] = [
    ...servers.map((at) => (path: string, headers: Headers) => fetch(at + path, { headers })),
    (path, headers) =>
      (path === "/told" ? told : untold)(
        new Request(`https://api.example.com${path}`, { headers }),
      ),
  ];
  const word = (answer: Response) =>
    answer.status === 200
      ? "in"
      : /reason="(\w+)"/.exec(answer.headers.get("www-authenticate")!)?.[1];
  for (const [at, ask] of ways.entries())
    for (const [path, features, expected] of [
      ["/told", ["screen 7x7"], "in"],
      ["/told", ["screen 8x8"], "binding"],
      ["/told", [], "binding"],
      ["/told", ["screen 7x7", "screen 7x7"], "binding"],
      ["/untold", ["screen 7x7"], "unverifiable"],
    ] as const) {
      const headers = new Headers({ authorization });
      for (const one of features) headers.append("x-symbolon-features", one);
      assert.equal(word(await ask(path, headers)), expected, `${at} ${path} ${features}`);
    }
});
