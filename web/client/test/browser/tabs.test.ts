import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { TURN_MS_MAX } from "../../src/tabs.js";
import {
  freeze,
  get,
  open,
  phase,
  profile,
  reaches,
  type Setup,
  signIn,
  startWorld,
  untilRefused,
  type World,
} from "./world.js";

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());

const TABS = 20;
const REQUESTS = 10;

/** What was asked of the authority: in all, and before any tab may have gone without its turn. */
interface Renewals {
  readonly all: number;
  readonly inTurn: number;
}

/**
 * Twenty tabs of one session send ten requests each at once.
 *
 * A tab waits 1.5 s for its turn. On a machine that is so busy that a renewal takes longer, each goes without, as it is to:
 * these are told and not judged.
 */
async function twentyTabs(
  setup: Setup,
  spoil: (subject: string, tabs: readonly Page[]) => Promise<number>,
): Promise<Renewals> {
  const subject = `twenty-${setup.clientId}-${setup.storage}`;
  const context = await profile(world);
  const first = await open(world, context, setup);
  await signIn(first, setup, subject);
  const tabs = [first];
  while (tabs.length < TABS) tabs.push(await open(world, context, setup));
  for (const tab of tabs) await reaches(tab, "fresh");
  const before = world.site.renewals();
  const began = await spoil(subject, tabs);
  const sent = await Promise.all(
    tabs.map((tab, number) =>
      tab.evaluate(
        async ([number, requests]) => {
          const one = async (at: number) => {
            const body = crypto.getRandomValues(new Uint8Array(1000 + number * 10 + at));
            const answer = await window.client.fetch("/api/echo", { method: "POST", body });
            const back = new Uint8Array(await answer.arrayBuffer());
            return (
              answer.status === 200 &&
              back.length === body.length &&
              back.every((byte, at) => byte === body[at])
            );
          };
          return Promise.all(Array.from({ length: requests }, (_, at) => one(at)));
        },
        [number, REQUESTS] as const,
      ),
    ),
  );
  assert.deepEqual(sent.flat(), Array(TABS * REQUESTS).fill(true));
  for (const tab of tabs) assert.equal(await phase(tab), "fresh");
  const all = world.site.renewals() - before;
  const inTurn = world.site.renewals(began + TURN_MS_MAX) - before;
  await context.close();
  return { all, inTurn };
}

function areFew({ all, inTurn }: Renewals): void {
  assert.ok(inTurn <= 3, `${inTurn} renewals in turn`);
  assert.ok(all >= 1);
}

test("twenty tabs that wake with an expired token renew at most three times, and no body is lost", async (t) => {
  const expired = async (_: string, tabs: readonly Page[]) => {
    const token = await tabs[0]!.evaluate(() => window.client.token());
    await Promise.all(tabs.map((tab) => freeze(tab, true)));
    await untilRefused(world, token!);
    const woke = performance.now();
    await Promise.all(tabs.map((tab) => freeze(tab, false)));
    return woke;
  };
  const renewals = await twentyTabs({ clientId: "twenty", storage: "memory" }, expired);
  t.diagnostic(JSON.stringify(renewals));
  areFew(renewals);
});

test("twenty tabs whose token went stale renew once, with the refresh token in a cookie", async (t) => {
  const changed = async (subject: string) => {
    await world.authority.api("PUT", `/v1/subjects/${subject}`, { roles: ["manager"] });
    return performance.now();
  };
  const renewals = await twentyTabs({ clientId: "web" }, changed);
  t.diagnostic(JSON.stringify(renewals));
  areFew(renewals);
});

test("signing out while a renewal is in flight signs out, in all tabs", async () => {
  for (const setup of [
    { clientId: "web" },
    { clientId: "app", storage: "memory" },
    { clientId: "app", storage: "local" },
  ] as const) {
    const context = await profile(world);
    const first = await open(world, context, setup);
    await signIn(first, setup, "leaves");
    const second = await open(world, context, setup);
    await reaches(second, "fresh");
    let open_gate = () => {};
    world.site.gate = new Promise((done) => (open_gate = done));
    const before = world.site.renewals();
    await first.evaluate(() => {
      window.skew += 3_600_000;
      void window.client.fetch("/api/echo").catch(() => {});
    });
    while (world.site.renewals() === before) await first.evaluate(() => 0);
    await second.evaluate(() => window.client.signOut());
    await reaches(first, "signed-out");
    open_gate();
    world.site.gate = undefined;
    // What was in flight is over when it is somebody else's turn.
    await first.evaluate(
      () => new Promise<void>((done) => window.client.rim.turn(async () => done())),
    );
    assert.equal(await phase(first), "signed-out");
    assert.equal(await phase(second), "signed-out");
    const third = await open(world, context, setup);
    assert.equal(await phase(third), "signed-out");
    await context.close();
  }
});

test("a tab that was closed in the middle of a renewal harms no other", async () => {
  const setup = { clientId: "app", storage: "memory" } as const;
  const context = await profile(world);
  const first = await open(world, context, setup);
  await signIn(first, setup, "closes");
  const others = [
    await open(world, context, setup),
    await open(world, context, setup),
    await open(world, context, setup),
  ];
  await world.authority.api("PUT", "/v1/subjects/closes", { roles: ["a"] });
  for (const tab of others) {
    let open_gate = () => {};
    world.site.gate = new Promise((done) => (open_gate = done));
    const before = world.site.renewals();
    await tab.evaluate(() => {
      window.skew += 3_600_000;
      void window.client.fetch("/api/echo");
    });
    while (world.site.renewals() === before) await first.evaluate(() => 0);
    await tab.close();
    open_gate();
    world.site.gate = undefined;
  }
  assert.equal(await get(first), 200);
  await context.close();
});
