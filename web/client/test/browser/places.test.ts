import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  echo,
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
  type World,
} from "./world.js";

let world: World;
before(async () => {
  world = await startWorld(["--test-third-party-cookie-phaseout"]);
});
after(() => world.stop());

const web = { clientId: "web" } as const;
const memory = { clientId: "app", storage: "memory" } as const;

test("where cookies of third parties are blocked, the session is in a cookie of the page's own host", async () => {
  const context = await profile(world);
  const page = await open(world, context, web);
  const carried = (from: string) =>
    page.evaluate(
      async (from) =>
        (await (await fetch(`${from}/third-party`, { credentials: "include" })).text()) === "seen",
      from,
    );
  // What is blocked: a cookie that may go anywhere, of a host that was visited.
  const visited = await context.newPage();
  await visited.goto(`${world.site.other}/third-party`);
  assert.ok((await context.cookies(world.site.other)).some(({ name }) => name === "third"));
  assert.equal(await carried(world.site.other), false);
  await signIn(page, web, "first-party");
  await makeStale(world, "first-party");
  assert.deepEqual(await echo(page, "renewed"), [200, true]);
  await page.close();
  assert.equal(await phase(await open(world, context, web)), "fresh");
  await context.close();
});

test("where cookies of third parties are blocked, an authority of another origin is asked without any", async () => {
  const setup: Setup = { ...memory, direct: true };
  const page = await open(world, await profile(world), setup);
  await signIn(page, setup, "no-cookies");
  await makeStale(world, "no-cookies");
  assert.deepEqual(await echo(page, "direct"), [200, true]);
  await page.context().close();
});

test("a private window has a session like any other, and leaves nothing behind", async () => {
  for (const setup of [
    web,
    { clientId: "app", storage: "local" },
    { clientId: "bound", storage: "memory" },
  ] as const) {
    // Each context of a test is a profile off the record.
    const context = await profile(world);
    const page = await open(world, context, setup);
    await signIn(page, setup, `private-${setup.clientId}`);
    if (setup.clientId !== "bound") {
      await page.close();
      assert.equal(await phase(await open(world, context, setup)), "fresh");
    }
    await context.close();
    const next = await profile(world);
    assert.equal(await phase(await open(world, next, setup)), "signed-out");
    await next.close();
  }
});

test("on a plain-http address of the network, tabs have neither locks nor keys, and nobody is signed out", async () => {
  const context = await profile(world);
  const first = await open(world, context, memory, world.site.lan);
  assert.deepEqual(
    await first.evaluate(() => [isSecureContext, "locks" in navigator, "subtle" in crypto]),
    [false, false, false],
  );
  await signIn(first, memory, "lan");
  const tabs = [first];
  while (tabs.length < 4) tabs.push(await open(world, context, memory, world.site.lan));
  for (const tab of tabs) await reaches(tab, "fresh");
  await makeStale(world, "lan");
  const renewals = world.site.renewals();
  for (const answer of await Promise.all(tabs.map((tab) => echo(tab, "by chance"))))
    assert.deepEqual(answer, [200, true]);
  assert.ok(world.site.renewals() - renewals <= tabs.length);
  for (const tab of tabs) assert.equal(await phase(tab), "fresh");
  await context.close();
});

test("an authority that is away for half a minute costs requests their time, and is not stormed", async () => {
  const context = await world.browser.newContext();
  // The half minute is the page's: its timers and clocks are moved on, and what it sends goes over the wire.
  await context.clock.install();
  const setup: Setup = { ...web, patience: 600_000 };
  const page = await open(world, context, setup);
  await signIn(page, setup, "half-a-minute");
  await makeStale(world, "half-a-minute");
  world.site.fault = "unavailable";
  const before = world.site.renewals();
  const work = echo(page, "patient");
  await until(() => world.site.renewals() > before);
  for (let second = 0; second < 30; second++) await page.clock.runFor(1000);
  const tries = world.site.renewals() - before;
  assert.ok(tries >= 2 && tries <= 15, `${tries} tries`);
  assert.notEqual(await phase(page), "ended");
  world.site.fault = undefined;
  let isDone = false;
  void work.then(() => (isDone = true));
  while (!isDone) await page.clock.runFor(5000);
  assert.deepEqual(await work, [200, true]);
  assert.equal(await get(page), 200);
  await context.close();
});
