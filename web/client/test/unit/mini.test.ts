import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../../src/index.js";
import { type Host, mini, request, wakeBy } from "../../src/mini.js";

const AUTHORITY = "https://id.example.com";
const API = "https://api.example.com";

/** A host without a browser: it has what mini-programs have, and an authority and a service behind it. */
function simulate() {
  const stored = new Map<string, unknown>();
  const sent: { url: string; data: unknown; authorization: string | undefined }[] = [];
  let [generation, good, online] = [0, "", true];
  const shown = new Set<() => void>();
  const host: Host = {
    request({ url, data, header, success, fail }) {
      sent.push({ url, data, authorization: header?.["authorization"] });
      if (!online) return fail({ errMsg: "request:fail" });
      if (url === `${AUTHORITY}/oauth2/token`) {
        const known = String(data).includes(`refresh_token=rt-${generation}`);
        if (!known)
          return success({
            statusCode: 400,
            header: {},
            data: { error: "invalid_grant", reason: "kicked" },
          });
        good = `at-${++generation}`;
        const tokens = {
          access_token: good,
          expires_in: 300,
          session_id: "s",
          refresh_token: `rt-${generation}`,
        };
        return success({ statusCode: 200, header: {}, data: tokens });
      }
      if (url === `${AUTHORITY}/oauth2/revoke`)
        return success({ statusCode: 200, header: {}, data: "" });
      if (good && header?.["authorization"] === `Bearer ${good}`)
        return success({ statusCode: 200, header: {}, data });
      // Hosts differ in how they write names.
      success({
        statusCode: 401,
        header: { "WWW-Authenticate": 'Bearer error="invalid_token", reason="stale"' },
        data: "",
      });
    },
    getStorageSync: (key) => stored.get(key) ?? "",
    setStorageSync: (key, value) => void stored.set(key, value),
    removeStorageSync: (key) => void stored.delete(key),
    onAppShow: (woke) => void shown.add(woke),
    offAppShow: (woke) => void shown.delete(woke),
  };
  return {
    host,
    stored,
    sent,
    shown,
    spoil: () => (good = ""),
    go: (on: boolean) => (online = on),
  };
}

const tokens = { access_token: "at-0", expires_in: 300, session_id: "s", refresh_token: "rt-0" };

test("a mini-program renews once for many requests, and keeps their bodies", async () => {
  const world = simulate();
  const client = createClient({
    authority: AUTHORITY,
    clientId: "mini",
    origins: [API],
    ...mini(world.host),
  });
  await client.ready;
  assert.equal(client.session.phase, "signed-out");
  await client.signIn(tokens);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      request(client, world.host, { url: `${API}/orders`, method: "POST", data: { at } }),
    ),
  );
  assert.deepEqual(
    answers.map(({ statusCode, data }) => [statusCode, data]),
    Array.from({ length: 20 }, (_, at) => [200, { at }]),
  );
  assert.equal(world.sent.filter(({ url }) => url.endsWith("/token")).length, 1);
  assert.deepEqual(world.stored.get("symbolon"), { refresh: "rt-1", count: 1 });
  await client.signOut();
  assert.equal(world.stored.size, 0);
  client.dispose();
});

test("a mini-program restores what it stored, and hears why it was signed out", async () => {
  const world = simulate();
  world.stored.set("symbolon", { refresh: "rt-0", count: 0 });
  const client = createClient({
    authority: AUTHORITY,
    clientId: "restores",
    origins: [API],
    ...mini(world.host),
  });
  await client.ready;
  assert.equal(client.session.phase, "fresh");
  world.stored.set("symbolon", { refresh: "rt-stolen", count: 9 });
  world.spoil();
  await assert.rejects(request(client, world.host, { url: `${API}/orders` }), {
    name: "SessionEnded",
    end: { reason: "kicked" },
  });
  client.dispose();
});

test("a mini-program that is shown again asks again at once", async () => {
  const world = simulate();
  world.stored.set("symbolon", { refresh: "rt-0", count: 0 });
  world.go(false);
  const client = createClient({ authority: AUTHORITY, clientId: "wakes", ...mini(world.host) });
  const off = wakeBy(client, world.host);
  await new Promise<void>((offline) => client.on("offline", () => offline()));
  assert.equal(client.session.phase, "restoring");
  world.go(true);
  for (const woke of world.shown) woke();
  await client.ready;
  assert.equal(client.session.phase, "fresh");
  off();
  assert.equal(world.shown.size, 0);
  client.dispose();
});

test("what is not plainly on the list is sent no token", async () => {
  const world = simulate();
  const client = createClient({
    authority: AUTHORITY,
    clientId: "strangers",
    origins: [API],
    ...mini(world.host),
  });
  await client.signIn(tokens);
  for (const url of [
    "https://evil.example",
    `${API}@evil.example/`,
    `${API}.evil.example/`,
    `${API}\\@evil.example/`,
    "ht\ntps://evil.example/",
    "HTTPS://EVIL.EXAMPLE/",
    "//evil.example/",
    "/relative",
    "",
  ]) {
    const { statusCode } = await request(client, world.host, { url });
    assert.equal(statusCode, 401);
    assert.equal(world.sent.at(-1)!.authorization, undefined, url);
  }
  client.dispose();
});

test("a client that is left in the middle of a renewal finishes it in silence", async () => {
  const world = simulate();
  world.stored.set("symbolon", { refresh: "rt-0", count: 0 });
  const client = createClient({ authority: AUTHORITY, clientId: "left", ...mini(world.host) });
  client.dispose();
  await client.ready;
  assert.equal(client.session.phase, "fresh");
});
