/** The client beside renewal as it is written by hand: the figures of docs/comparison.md. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { BrowserContext, Page } from "playwright-core";
import type * as baseline from "./pages/baseline.js";
import { makeStale, open, profile, reaches, signIn, startWorld, type World } from "./world.js";

declare global {
  interface Window {
    api: ReturnType<typeof baseline.create>;
    /** Whether the sign-in page was opened. */
    isLost: boolean;
  }
}

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());
afterEach(() => {
  world.site.fault = undefined;
  world.site.goodOnce = false;
});

const TABS = 20;
const REQUESTS = 10;
const app = { clientId: "app", storage: "local" } as const;

/** A way to write the page: opens a tab, signs in, and sends requests; gives how many were answered 200 with their body. */
interface Way {
  open(context: BrowserContext): Promise<Page>;
  signIn(page: Page, subject: string): Promise<unknown>;
  send(page: Page, requests: number): Promise<number>;
}

const byHand: Way = {
  async open(context) {
    const page = await context.newPage();
    await page.goto(world.site.origin);
    await page.evaluate(async (path: string) => {
      const { create } = (await import(path)) as typeof baseline;
      window.isLost = false;
      window.api = create("app", () => (window.isLost = true));
    }, "/pages/baseline.js");
    return page;
  },
  signIn: (page, subject) =>
    page.evaluate(
      async ([path, subject]) => {
        const { keep } = (await import(path)) as typeof baseline;
        const body = JSON.stringify({ subject, client_id: "app", device: { class: "web" } });
        const answer = await fetch("/sign-in", { method: "POST", body });
        keep((await answer.json()) as never);
      },
      ["/pages/baseline.js", subject] as const,
    ),
  send: (page, requests) =>
    page.evaluate(async (requests) => {
      const one = async (at: number) => {
        const answer = await window.api.post("/echo", `body ${at}`).catch(() => undefined);
        return answer?.data === `body ${at}`;
      };
      const all = await Promise.all(Array.from({ length: requests }, (_, at) => one(at)));
      return all.filter(Boolean).length;
    }, requests),
};

const client: Way = {
  async open(context) {
    const page = await open(world, context, app);
    await page.evaluate(() => {
      window.isLost = false;
      window.client.on("ended", () => (window.isLost = true));
    });
    return page;
  },
  signIn: (page, subject) => signIn(page, app, subject),
  send: (page, requests) =>
    page.evaluate(async (requests) => {
      const one = async (at: number) => {
        const body = `body ${at}`;
        const answer = await window.client
          .fetch("/api/echo", { method: "POST", body })
          .catch(() => undefined);
        return answer?.status === 200 && (await answer.text()) === body;
      };
      const all = await Promise.all(Array.from({ length: requests }, (_, at) => one(at)));
      return all.filter(Boolean).length;
    }, requests),
};

/** Somebody with so many tabs, whose token is no longer taken; gives what came of it. */
async function run(
  name: string,
  way: Way,
  tabs: number,
  spoil: (sent: Promise<unknown>) => unknown,
) {
  const context = await profile(world);
  const first = await way.open(context);
  await way.signIn(first, name);
  const pages = [first];
  while (pages.length < tabs) pages.push(await way.open(context));
  if (way === client) for (const page of pages) await reaches(page, "fresh");
  await makeStale(world, name);
  const before = world.site.renewals();
  const sent = Promise.all(pages.map((page) => way.send(page, REQUESTS)));
  await spoil(sent);
  const answered = (await sent).reduce((sum, one) => sum + one, 0);
  const lost = (await Promise.all(pages.map((page) => page.evaluate(() => window.isLost)))).filter(
    Boolean,
  ).length;
  const renewals = world.site.renewals() - before;
  await context.close();
  return { answered, renewals, lost };
}

for (const [kind, way] of [
  ["by hand", byHand],
  ["client", client],
] as const) {
  for (const goodOnce of [false, true])
    test(`twenty tabs, ${kind}, a refresh token that is good ${goodOnce ? "once" : "for its window"}`, async (t) => {
      world.site.goodOnce = goodOnce;
      const came = await run(`tabs ${kind} ${goodOnce}`, way, TABS, () => {});
      t.diagnostic(JSON.stringify(came));
      if (way === byHand) return assert.ok(came.renewals >= 1);
      // How few renewals it takes is held by `tabs.test.ts`; here a busy machine may have its say.
      assert.deepEqual([came.answered, came.lost], [TABS * REQUESTS, 0]);
    });

  test(`an authority that is away for a moment, ${kind}`, async (t) => {
    world.site.fault = "unavailable";
    const came = await run(`away ${kind}`, way, 1, async () => {
      const before = world.site.refused;
      while (world.site.refused === before) await new Promise((done) => setTimeout(done, 5));
      world.site.fault = undefined;
    });
    t.diagnostic(JSON.stringify(came));
    if (way === byHand) assert.equal(came.lost, 1);
    else assert.deepEqual([came.answered, came.lost], [REQUESTS, 0]);
  });
}
