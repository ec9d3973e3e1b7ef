import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { echo, get, makeStale, open, profile, signIn, startWorld, type World } from "./world.js";

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());
afterEach(() => {
  world.site.pointsElsewhere = false;
});

const app = { clientId: "app", storage: "memory" } as const;

async function someone(subject: string) {
  const page = await open(world, await profile(world), app);
  await signIn(page, app, subject);
  return page;
}

test("an application's own 401 is handed on, and nothing is renewed", async () => {
  const page = await someone("business");
  const before = world.site.renewals();
  for (const _ of [1, 2, 3]) assert.equal(await get(page, "/api/business"), 401);
  assert.equal(world.site.renewals(), before);
  await page.context().close();
});

test("a service that refuses every token costs one renewal, however often it is asked", async () => {
  const page = await someone("endless");
  const before = world.site.renewals();
  const statuses = await page.evaluate(async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, () => window.client.fetch("/api/endless")),
    );
    for (let at = 0; at < 5; at++) all.push(await window.client.fetch("/api/endless"));
    return all.map(({ status }) => status);
  });
  assert.deepEqual(statuses, Array(15).fill(401));
  assert.equal(world.site.renewals() - before, 1);
  await makeStale(world, "endless");
  await page.evaluate(() => (window.skew += 10_000));
  assert.equal(await get(page), 200, "it is believed again after a while");
  await page.context().close();
});

test("a forged 401 moves no refresh token off the authority, and no token to a stranger", async () => {
  const page = await someone("forged");
  const from = world.site.seen.length;
  await page.evaluate(
    ([other]) => window.client.fetch(`${other}/api/endless`, { method: "POST", body: "x" }),
    [world.site.other],
  );
  const later = world.site.seen.slice(from);
  const carriers = later.filter(({ body, authorization }) =>
    /sym_rt_/.test(`${body} ${authorization}`),
  );
  assert.deepEqual([...new Set(carriers.map(({ path }) => path))], ["/oauth2/token"]);
  const renewals = world.site.renewals();
  const status = await page.evaluate(
    async (demo) => (await window.client.fetch(`${demo}/me`)).status,
    world.authority.demo,
  );
  assert.equal(status, 401, "the demo API is not on this page's list: it was sent no token");
  assert.equal(world.site.renewals(), renewals);
  await page.context().close();
});

test("an authority that points elsewhere is not followed, and no token leaves it", async () => {
  const setup = { ...app, listen: true } as const;
  const page = await open(world, await profile(world), setup);
  world.site.pointsElsewhere = true;
  await signIn(page, setup, "pointed");
  await makeStale(world, "pointed");
  const from = world.site.seen.length;
  const calls = (path: string) =>
    world.site.seen.slice(from).filter((seen) => seen.path === path).length;
  const work = echo(page, "waits").then(String, String);
  // Each is asked for more than once: what came of the first is known by then.
  while (calls("/oauth2/token") < 2) await page.evaluate(() => 0);
  const leaving = page.evaluate(() =>
    window.client.signOut().then(String, (why: Error) => why.name),
  );
  assert.equal(await leaving, "Unavailable");
  assert.match(await work, /SessionEnded/);
  assert.ok(calls("/oauth2/revoke") >= 1);
  assert.equal(calls("/elsewhere"), 0);
  await page.context().close();
});

test("where a page's addresses are relative to another origin, they are judged by that", async () => {
  const page = await someone("based");
  const from = world.site.seen.length;
  const statuses = await page.evaluate(async (lan) => {
    const base = document.createElement("base");
    base.href = `${lan}/`;
    document.head.append(base);
    const unlisted = (await window.client.fetch("api/echo")).status;
    base.href = `${location.origin.replace("127.0.0.1", "localhost")}/`;
    return [unlisted, (await window.client.fetch("api/echo")).status];
  }, world.site.lan);
  assert.deepEqual(statuses, [401, 200]);
  const [unlisted, listed] = world.site.seen.slice(from).filter(({ path }) => path === "/api/echo");
  assert.deepEqual(
    [unlisted!.host, unlisted!.authorization],
    [new URL(world.site.lan).host, undefined],
  );
  assert.deepEqual([listed!.host, !!listed!.authorization], [new URL(world.site.other).host, true]);
  await page.context().close();
});

test("a listed service of another origin is sent the token, and renewed for", async () => {
  const page = await someone("other");
  await makeStale(world, "other");
  const status = await page.evaluate(
    async (other) => (await window.client.fetch(`${other}/api/echo`)).status,
    world.site.other,
  );
  assert.equal(status, 200);
  await page.context().close();
});

test("a page that calls the authority across origins renews as well", async () => {
  const setup = { ...app, direct: true } as const;
  const page = await open(world, await profile(world), setup);
  await signIn(page, setup, "direct");
  await makeStale(world, "direct");
  assert.deepEqual(await echo(page, "direct"), [200, true]);
  await page.context().close();
});

test("bodies of every kind are sent again to the byte, and a stream is refused before anything is sent", async () => {
  const page = await someone("bodies");
  const kinds = ["string", "blob", "buffer", "form", "multipart", "request"] as const;
  for (const kind of kinds) {
    await makeStale(world, "bodies");
    const same = await page.evaluate(async (kind) => {
      const multipart = new FormData();
      multipart.append("file", new Blob(["a\r\nb"]), "name");
      const body = {
        string: "grüße",
        blob: new Blob(["blob"]),
        buffer: new Uint8Array([0, 255, 10, 13]).buffer,
        form: new URLSearchParams({ a: "1 2" }),
        multipart,
        request: "of a Request",
      }[kind];
      const input =
        kind === "request" ? new Request("/api/echo", { method: "POST", body }) : "/api/echo";
      const answer = await window.client.fetch(
        input,
        kind === "request" ? undefined : { method: "POST", body },
      );
      const sent = kind === "multipart" ? "a\r\nb" : await new Response(body).text();
      return answer.status === 200 && (await answer.text()).includes(sent);
    }, kind);
    assert.ok(same, kind);
  }
  const from = world.site.seen.length;
  const why = await page.evaluate(() =>
    window.client
      .fetch("/api/echo", {
        method: "POST",
        body: new Blob(["x"]).stream(),
        duplex: "half",
      } as RequestInit)
      .then(String, String),
  );
  assert.match(why, /^TypeError: A stream cannot be sent again/);
  assert.equal(world.site.seen.length, from);
  await page.context().close();
});

test("a client that is created twice is one, and lives until each of its creators has left", async () => {
  const page = await someone("twice");
  const same = await page.evaluate(async () => {
    const again = window.sdk.createClient({ ...window.client.rim.options });
    window.client.dispose();
    const third = window.sdk.createClient({ ...window.client.rim.options });
    third.dispose();
    await new Promise((done) => setTimeout(done));
    return (
      again === window.client && third === again && (await again.fetch("/api/echo")).status === 200
    );
  });
  assert.ok(same);
  await page.context().close();
});
