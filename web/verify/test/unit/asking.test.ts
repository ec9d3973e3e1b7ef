/** Keys and questions against an authority that is a function. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Discovered } from "../../src/discovery.js";
import { FetchError, httpOf } from "../../src/http.js";
import { Keyring } from "../../src/keyring.js";
import { KeyFetcher } from "../../src/keys.js";
import { bounded, connect, createVerifier, offline, Rejected } from "../../src/index.js";
import { Questions, WAITING_MAX } from "../../src/questions.js";
import { AUDIENCE, claims, ISSUER, jwksOf, keySetOf, newKey, now, token } from "../issuer.js";

const key = newKey();

/** A `fetch` that answers by path, and counts. */
function authority(
  answers: Readonly<Record<string, (init?: RequestInit) => Response | Promise<Response>>>,
) {
  const calls: string[] = [];
  const send = async (url: string | URL | Request, init?: RequestInit) => {
    const { pathname } = new URL(String(url));
    calls.push(pathname);
    return (await answers[pathname]?.(init)) ?? new Response(null, { status: 404 });
  };
  return { calls, fetch: send as typeof fetch };
}

const METADATA = "/.well-known/oauth-authorization-server";
const metadata =
  (other: object = {}) =>
  () =>
    Response.json({
      issuer: ISSUER,
      jwks_uri: `${ISSUER}/jwks`,
      introspection_endpoint: `${ISSUER}/introspect`,
      ...other,
    });

const options = { issuer: ISSUER, audience: AUDIENCE, now: () => now() };

test("a crowd of tokens with unknown keys causes one fetch, and the next one much later", async () => {
  const { calls, fetch } = authority({
    [METADATA]: metadata(),
    "/jwks": () => new Response(jwksOf(key)),
  });
  const verifier = await connect({ ...options, fetch });
  assert.deepEqual(calls, [METADATA, "/jwks"]);
  const strangers = Array.from({ length: 200 }, () => token(newKey()));
  const words = await Promise.all(
    strangers.map((one) => verifier.admit(one, offline()).catch((why: Rejected) => why.message)),
  );
  assert.deepEqual(new Set(words), new Set(["the token is signed by no key of the issuer"]));
  assert.throws(() => verifier.check(strangers[0]!, offline()), /may be new/);
  await setImmediate();
  assert.equal(calls.length, 2);
  verifier.close();
});

test("keys are fetched one flight at a time, and a failed fetch keeps what was known", async () => {
  const keyring = new Keyring();
  let fetches = 0;
  let next = async (): Promise<Discovered> => ({ keys: keySetOf(key), introspection: undefined });
  const failures: FetchError[] = [];
  const pace = { refetchMs: 0, maxAgeMs: 3_600_000 };
  const fetcher = new KeyFetcher(
    keyring,
    pace,
    () => ((fetches += 1), next()),
    (why) => failures.push(why),
  );
  await Promise.all([fetcher.fetch(), fetcher.fetch(), fetcher.newer(), fetcher.nextByFeed()]);
  assert.equal(fetches, 1);
  assert.equal(keyring.generation, 1);
  next = async () => Promise.reject(new FetchError("late"));
  assert.equal((await fetcher.fetch())?.what, "late");
  assert.equal(keyring.current?.keys[0]?.kid, key.kid);
  assert.deepEqual([failures.length, fetcher.isReady, fetcher.lookedLately], [1, true, false]);
  next = async () => ({ keys: keySetOf(key, newKey(), newKey()), introspection: undefined });
  await fetcher.fetch();
  assert.equal(keyring.generation, 2, "one alone also verified what names no key");
  next = async () => ({ keys: keySetOf(newKey()), introspection: undefined });
  await fetcher.fetch();
  assert.equal(keyring.generation, 3, "a key is gone");
  fetcher.close();
});

test("only the issuer's own metadata and only public keys are taken", async () => {
  const secret = JSON.stringify({ keys: [{ kty: "oct", k: "A".repeat(43) }] });
  for (const [said, keys, why] of [
    [metadata({ issuer: `${ISSUER}/` }), jwksOf(key), /names another issuer/],
    [metadata({ jwks_uri: "http://other.example/jwks" }), jwksOf(key), /no jwks_uri that is safe/],
    [metadata({ jwks_uri: undefined }), jwksOf(key), /no jwks_uri that is safe/],
    [() => new Response("[]"), jwksOf(key), /is not a JSON object/],
    [
      () => new Response(null, { status: 302, headers: { location: `${ISSUER}/x` } }),
      "",
      /answered 302/,
    ],
    [metadata(), secret, /shared secret/],
    [metadata(), "{}", /keys: is missing/],
    [metadata(), " ".repeat(70_000), /longer than it may be/],
  ] as const) {
    const { fetch } = authority({ [METADATA]: said, "/jwks": () => new Response(keys) });
    await assert.rejects(connect({ ...options, fetch }), why);
  }
});

test("requests that come while a question is open share the next one, and none takes an older answer", async () => {
  const open: ((answer: Response) => void)[] = [];
  const { calls, fetch } = authority({
    "/introspect": () => new Promise<Response>((answer) => open.push(answer)),
  });
  const questions = new Questions(httpOf(fetch), "key", () => {});
  const ask = () => questions.ask(`${ISSUER}/introspect`, "t", true);
  const first = ask();
  await setImmediate();
  const later = [ask(), ask(), ask()];
  open[0]!(Response.json({ active: true }));
  assert.equal((await first).is, "active");
  await setImmediate();
  assert.equal(calls.length, 2);
  open[1]!(Response.json({ active: false }));
  for (const one of later) assert.equal((await one).is, "inactive");
  const again = ask();
  await setImmediate();
  assert.equal(calls.length, 3);
  open[2]!(Response.json({ active: true }));
  assert.equal((await again).is, "active");
});

test("a crowd is refused beyond the bound, and strangers' text at half of it", async () => {
  const { calls, fetch } = authority({ "/introspect": () => new Promise<Response>(() => {}) });
  const http = httpOf(fetch);
  const questions = new Questions(http, "key", () => {});
  const url = `${ISSUER}/introspect`;
  const strangers = Array.from({ length: WAITING_MAX }, (_, at) =>
    questions.ask(url, `s${at}`, false),
  );
  const refused = strangers.slice(WAITING_MAX / 2);
  assert.deepEqual(new Set((await Promise.all(refused)).map(({ is }) => is)), new Set(["none"]));
  await setImmediate();
  assert.equal(calls.length, 32, "open at once");
  const known = Array.from({ length: WAITING_MAX }, (_, at) => questions.ask(url, `k${at}`, true));
  await Promise.all(known.slice(WAITING_MAX / 2));
  await setImmediate();
  assert.equal(calls.length, 64, "open at once");
  await Promise.all([...strangers, ...known]);
  await setImmediate();
  assert.ok(calls.length <= 128, "nobody waits any more for most of those whose turn comes now");
  http.close();
});

test("only `true` is yes and only `false` is no", async () => {
  for (const [body, is] of [
    ['{"active":true}', "active"],
    ['{"active":false,"sub":"42"}', "inactive"],
    ['{"active":"true"}', "none"],
    ['{"active":1}', "none"],
    ['{"active":true,"active":true}', "none"],
    ["[true]", "none"],
    ["", "none"],
  ] as const) {
    const { fetch } = authority({ "/introspect": () => new Response(body) });
    const questions = new Questions(httpOf(fetch), "key", () => {});
    assert.equal((await questions.ask(`${ISSUER}/introspect`, "t", true)).is, is, body);
  }
});

test("without a feed each request is asked about, and an answer about another token is none", async () => {
  let told: object = { active: true, ...claims() };
  const { calls, fetch } = authority({
    [METADATA]: metadata(),
    "/jwks": () => new Response(jwksOf(key)),
    "/introspect": (init) => {
      const { authorization } = init!.headers as Record<string, string>;
      assert.equal(authorization, "Bearer sym_ak_x");
      return Response.json(told);
    },
  });
  const verifier = await connect({ ...options, fetch, introspection: { apiKey: "sym_ak_x" } });
  const shown = token(key);
  const word = () =>
    verifier.admit(shown, bounded(5000)).then(
      () => "in",
      (why: Rejected) => why.reason,
    );
  assert.throws(() => verifier.check(shown), /must be asked/);
  for (const [answer, expected] of [
    [{ active: true, ...claims() }, "in"],
    [{ active: true }, "in"],
    [{ active: false }, "revoked"],
    [{ active: true, ...claims({ sub: "43" }) }, "unverifiable"],
    [{ active: true, ...claims({ jti: "other" }) }, "unverifiable"],
    [{ active: true, ...claims({ ver: [2, 6, 6, 7], roles: ["new"] }) }, "in"],
    [{ active: true, ...claims({ ver: [2, 7, 6, 7], aud: "other" }) }, "untrusted"],
  ] as const) {
    told = answer;
    assert.equal(await word(), expected, JSON.stringify(answer));
  }
  const asked = calls.filter((path) => path === "/introspect").length;
  assert.equal(asked, 7);
  await verifier.admit(shown, offline());
  assert.equal(calls.filter((path) => path === "/introspect").length, asked, "offline asks nobody");
  verifier.close();
});

test("an authority that never answers makes nobody wait for long, and is told to the log without a key", async () => {
  const lines: string[] = [];
  const log = {
    warn: (line: string) => lines.push(line),
    error: (line: string) => lines.push(line),
  };
  const { fetch } = authority({ [METADATA]: () => new Response(null, { status: 503 }) });
  const verifier = createVerifier({
    ...options,
    fetch,
    log,
    introspection: { apiKey: "sym_ak_secret" },
  });
  const begun = performance.now();
  await assert.rejects(
    verifier.admit(token(key), offline()),
    (why) => why instanceof Rejected && why.message === "the issuer's keys are not known yet",
  );
  assert.ok(performance.now() - begun < 4000);
  assert.match(lines[0]!, /keys could not be fetched: the authority answered 503/);
  assert.ok(!lines.join().includes("secret"));
  assert.equal(verifier.status().rejected["unverifiable"], 1);
  verifier.close();
});

test("what a thin token leaves out is asked for once, and another set of it makes the token stale", async () => {
  const rights = "AAAAAAAAAAAAAAAAAAAAAA";
  const shown = token(key, { rights, roles: undefined, staleness: undefined });
  let told: object = { active: true };
  const { calls, fetch } = authority({
    [METADATA]: metadata(),
    "/jwks": () => new Response(jwksOf(key)),
    "/introspect": () => Response.json(told),
  });
  const verifier = await connect({ ...options, fetch, introspection: { apiKey: "k" } });
  const word = () => verifier.admit(shown, offline()).catch((why: Rejected) => why.reason);
  assert.equal(await word(), "unverifiable", "only yes is no answer about it");
  told = { active: true, ...claims({ rights: "BBBBBBBBBBBBBBBBBBBBBA", roles: ["x"] }) };
  assert.equal(await word(), "stale");
  told = { active: true, ...claims({ rights, roles: ["buyer"], tenant: "t" }) };
  const { claims: whole } = await verifier.admit(shown, offline({ role: "buyer" }));
  assert.deepEqual([whole.roles, { ...whole.extra }], [["buyer"], { tenant: "t" }]);
  const asked = calls.length;
  assert.deepEqual(verifier.check(shown, offline({ role: "buyer" })).claims.roles, ["buyer"]);
  assert.equal(calls.length, asked);
  verifier.close();
});
