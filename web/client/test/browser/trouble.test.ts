import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  echo,
  freeze,
  get,
  makeStale,
  open,
  phase,
  profile,
  reaches,
  type Setup,
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
afterEach(() => {
  world.site.fault = undefined;
});

const memory = { clientId: "app", storage: "memory" } as const;

/** A page of somebody who is signed in. */
async function someone(setup: Setup, subject: string) {
  const context = await profile(world);
  const page = await open(world, context, setup);
  await signIn(page, setup, subject);
  return page;
}

const told = (page: Awaited<ReturnType<typeof someone>>) =>
  page.evaluate(() => window.told.map(([name]) => name));

test("a page that slept for two hours goes on", async () => {
  for (const setup of [{ clientId: "web" }, memory] as const) {
    const page = await someone(setup, "sleeper");
    await freeze(page, true);
    await makeStale(world, "sleeper");
    await freeze(page, false);
    await page.evaluate(() => (window.skew += 7_200_000));
    assert.deepEqual(await echo(page, "awake"), [200, true]);
    await page.context().close();
  }
});

test("a tab that slept through the renewals of another takes its tokens, and replays nothing", async () => {
  const setup = { clientId: "spa", storage: "memory" } as const;
  const awake = await someone(setup, "two-tabs");
  const asleep = await open(world, awake.context(), setup);
  await freeze(asleep, true);
  for (const _ of [1, 2]) {
    await makeStale(world, "two-tabs");
    assert.equal(await get(awake), 200);
    await untilGraceIsOver(world);
  }
  await freeze(asleep, false);
  assert.equal(await get(asleep), 200);
  assert.equal(await get(awake), 200);
  await awake.context().close();
});

test("an answer that was lost is asked for again with the same token, and nobody is signed out", async () => {
  for (const setup of [{ clientId: "web" }, memory] as const) {
    const page = await someone(setup, "loser");
    await makeStale(world, "loser");
    const before = world.site.renewals();
    world.site.fault = "lose-answer";
    const answer = echo(page, "lost and found");
    await until(() => world.site.renewals() > before);
    await page.waitForFunction(() => window.told.some(([name]) => name === "offline"));
    world.site.fault = undefined;
    assert.deepEqual(await answer, [200, true]);
    assert.deepEqual(await told(page), ["stale", "offline", "renewed"]);
    await page.context().close();
  }
});

test("an answer that is asked for again after the grace window ends a bearer's session; waiting work is kept and sent after the sign-in", async () => {
  const setup = {
    clientId: "spa",
    storage: "memory",
    signsInAgain: "returns",
    patience: 60_000,
  } as const;
  const page = await someone(setup, "returns");
  await makeStale(world, "returns");
  world.site.fault = "lose-answer";
  const before = world.site.renewals();
  const work = echo(page, "kept");
  await until(() => world.site.renewals() > before);
  world.site.fault = "refuse";
  await untilGraceIsOver(world);
  world.site.fault = undefined;
  assert.deepEqual(await work, [200, true]);
  const ended = await page.evaluate(() => window.told.find(([name]) => name === "ended")?.[1]);
  assert.deepEqual(ended, { reason: "replayed" });
  assert.equal(await phase(page), "fresh");
  await page.context().close();
});

test("offline is not signed out: requests wait and go on when the network is back", async () => {
  const page = await someone({ clientId: "web" }, "offline");
  await makeStale(world, "offline");
  let open_gate = () => {};
  world.site.gate = new Promise((done) => (open_gate = done));
  const before = world.site.renewals();
  const work = echo(page, "patient");
  await until(() => world.site.renewals() > before);
  await page.context().setOffline(true);
  await page.waitForFunction(() => window.told.some(([name]) => name === "offline"));
  open_gate();
  world.site.gate = undefined;
  await page.context().setOffline(false);
  await reaches(page, "fresh");
  assert.equal((await work)[0], 200);
  await page.context().close();
});

test("whoever will not wait is told at once, and is still signed in", async () => {
  const setup = { clientId: "web", patience: 0 } as const;
  const page = await someone(setup, "impatient");
  await makeStale(world, "impatient");
  world.site.fault = "unavailable";
  const why = await page.evaluate(() =>
    window.client.fetch("/api/echo").then(String, (why: Error) => why.name),
  );
  assert.equal(why, "Unavailable");
  world.site.fault = undefined;
  await reaches(page, "fresh");
  assert.equal(await get(page), 200);
  await page.context().close();
});

test("a restart of the authority costs nobody the session, and a request its time", async () => {
  const page = await someone({ clientId: "web" }, "restarted");
  await makeStale(world, "restarted");
  const [work] = [
    page.evaluate(async () => (await window.client.fetch("/api/echo")).status),
    await world.authority.restart(),
  ];
  // The service may have answered before it went away with the authority, or not at all.
  await work.catch(() => {});
  assert.equal(await get(page), 200);
  await page.context().close();
});

test("clocks that are two hours wrong, or jump, cost a renewal each and nobody the session", async () => {
  const page = await someone({ clientId: "web" }, "clocks");
  const before = world.site.renewals();
  for (const jump of [7_200_000, -14_400_000, 7_200_000]) {
    await page.evaluate((jump) => void (window.skew += jump), jump);
    assert.equal(await get(page), 200);
  }
  assert.ok(world.site.renewals() - before <= 3);
  assert.equal(await phase(page), "fresh");
  await page.context().close();
});

test("a service worker in between changes nothing", async () => {
  const page = await someone({ clientId: "web" }, "worker");
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/worker.js");
    await navigator.serviceWorker.ready;
  });
  const again = await open(world, page.context(), { clientId: "web" });
  await makeStale(world, "worker");
  assert.equal(await again.evaluate(() => !!navigator.serviceWorker.controller), true);
  assert.deepEqual(await echo(again, "through"), [200, true]);
  await page.context().close();
});
