import assert from "node:assert/strict";
import { createHash, createPublicKey, verify, type JsonWebKey } from "node:crypto";
import { after, before, test } from "node:test";
import {
  open,
  phase,
  profile,
  signIn,
  startWorld,
  until,
  untilGraceIsOver,
  type World,
} from "./world.js";

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());

const bound = { clientId: "bound", storage: "memory", patience: 60_000 } as const;

const json = (part: string) =>
  JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;

test("a bound session renews with proofs, and a proof to a service is for that request and that token", async () => {
  const page = await open(world, await profile(world), bound);
  await signIn(page, bound, "bound");
  const jkt = await page.evaluate(() => window.jkt);
  const token = await page.evaluate(async () => {
    window.skew += 3_600_000;
    return window.client.token();
  });
  assert.equal(await phase(page), "fresh");
  const proof = await page.evaluate(async () =>
    (await window.client.fetch("/api/echo?a=1")).headers.get("x-proof"),
  );
  const [head, claims, signature] = proof!.split(".") as [string, string, string];
  const { jwk, typ, alg } = json(head) as { jwk: JsonWebKey; typ: string; alg: string };
  const { htm, htu, ath } = json(claims);
  const ok = verify(
    "sha256",
    Buffer.from(`${head}.${claims}`),
    { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  const digest = (text: string) => createHash("sha256").update(text).digest("base64url");
  assert.deepEqual(
    [ok, typ, alg, htm, htu],
    [true, "dpop+jwt", "ES256", "GET", `${world.site.origin}/api/echo`],
  );
  assert.equal(ath, digest(token!));
  assert.equal(jkt, digest(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })));
  const kept = await open(world, page.context(), bound);
  assert.equal(
    await kept.evaluate(() => window.jkt),
    jkt,
    "the key is the browser's, and not a page's",
  );
  await page.context().close();
});

test("an answer that is asked for again long after the grace window signs nobody out who can prove the key", async () => {
  const page = await open(world, await profile(world), bound);
  await signIn(page, bound, "late");
  world.site.fault = "break";
  const token = page.evaluate(async () => {
    window.skew += 3_600_000;
    return window.client.token();
  });
  await until(() => world.site.fault === "refuse");
  await untilGraceIsOver(world);
  world.site.fault = undefined;
  assert.ok(await token);
  assert.equal(await phase(page), "fresh");
  assert.deepEqual(
    await page.evaluate(() => window.told.map(([name]) => name).filter((name) => name === "ended")),
    [],
  );
  await page.context().close();
});

test("a renewal that the browser itself sends twice, proof and all, is proved anew", async () => {
  const page = await open(world, await profile(world), bound);
  await signIn(page, bound, "twice");
  const from = world.site.seen.length;
  world.site.fault = "lose-one";
  const token = await page.evaluate(async () => {
    window.skew += 3_600_000;
    return window.client.token();
  });
  assert.ok(token);
  const proofs = world.site.seen.slice(from).flatMap(({ proof }) => proof ?? []);
  // With a nonce, lost, sent again by the browser, and proved anew.
  assert.equal(new Set(proofs).size, proofs.length - 1, "no proof came twice: nothing was tried");
  assert.deepEqual(await page.evaluate(() => window.told.map(([name]) => name)), ["renewed"]);
  await page.context().close();
});

test("a method is proved as it goes over the wire", async () => {
  const page = await open(world, await profile(world), bound);
  await signIn(page, bound, "small");
  // The platform writes six methods large, and leaves others as they are.
  const proof = await page.evaluate(async () =>
    (await window.client.fetch("/api/echo", { method: "post", body: "x" })).headers.get("x-proof"),
  );
  assert.equal(json(proof!.split(".")[1]!)["htm"], "POST");
  await page.context().close();
});

test("a service that says that a proof was used is asked again, a bounded number of times, for what may be done twice alone", async () => {
  const page = await open(world, await profile(world), bound);
  await signIn(page, bound, "repeats");
  const from = world.site.seen.length;
  const sent = async (method: string) => {
    const status = await page.evaluate(
      async (method) => (await window.client.fetch("/api/used-proof", { method })).status,
      method,
    );
    const proofs = world.site.seen
      .slice(from)
      .filter(({ path }) => path === "/api/used-proof")
      .map(({ proof }) => proof);
    return [status, proofs.length, new Set(proofs).size];
  };
  assert.deepEqual(await sent("POST"), [401, 1, 1]);
  assert.deepEqual(await sent("GET"), [401, 4, 4]);
  await page.context().close();
});
