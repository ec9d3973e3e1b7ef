import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { mount } from "./pages/frameworks.js";
import { makeStale, open, profile, signIn, startWorld, type World } from "./world.js";

declare global {
  interface Window {
    mounted: ReturnType<typeof mount>;
  }
}

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());

const app = { clientId: "app", storage: "memory" } as const;

async function mounted(subject: string): Promise<Page> {
  const page = await open(world, await profile(world), app);
  await page.evaluate(async (path: string) => {
    const { mount: mountAll } = (await import(path)) as { mount: typeof mount };
    window.mounted = mountAll(window.client.rim.options);
  }, "/pages/frameworks.js");
  await signIn(page, app, subject);
  return page;
}

test("React in StrictMode and Vue show the session as it changes, and share one client with the page", async () => {
  const page = await mounted("frameworks");
  assert.ok(await page.evaluate(() => window.mounted.client === window.client));
  const shown = (phase: string) =>
    page.waitForFunction(
      (phase) => ["react", "vue"].every((id) => document.getElementById(id)?.textContent === phase),
      phase,
    );
  await shown("fresh");
  await page.evaluate(() => window.client.signOut());
  await shown("signed-out");
  await page.context().close();
});

test("axios sends a body again to the byte, below its interceptors and transformations", async () => {
  const page = await mounted("axios");
  await makeStale(world, "axios");
  const before = world.site.renewals();
  const got = await page.evaluate(async () => {
    const { api, intercepted } = window.mounted;
    const answers = await Promise.all([1, 2, 3].map((at) => api.post("/echo", `body ${at}`)));
    return {
      status: answers.map(({ status }) => status),
      data: answers.map(({ data }) => data as string),
      intercepted: intercepted(),
    };
  });
  assert.deepEqual(got, {
    status: [200, 200, 200],
    data: ["<body 1>", "<body 2>", "<body 3>"],
    intercepted: 3,
  });
  assert.equal(world.site.renewals() - before, 1);
  await page.context().close();
});

test("axios rejects what is refused as it does without us, and is left as it was", async () => {
  const page = await mounted("refused");
  const got = await page.evaluate(async () => {
    const { api, off } = window.mounted;
    const status = () =>
      api
        .get("/business")
        .then(
          String,
          (why: { name: string; response: { status: number } }) =>
            `${why.name} ${why.response.status}`,
        );
    const withUs = await status();
    off();
    return [withUs, await status()];
  });
  assert.deepEqual(got, ["AxiosError 401", "AxiosError 401"]);
  await page.context().close();
});

test("axios sends no token to where a page's base points, unless that is listed", async () => {
  const page = await mounted("axios-based");
  const from = world.site.seen.length;
  const status = await page.evaluate(async (lan) => {
    const base = document.createElement("base");
    base.href = `${lan}/`;
    document.head.append(base);
    return window.mounted.api.get("/echo").then(
      ({ status }) => status,
      (why: { response?: { status: number } }) => why.response?.status,
    );
  }, world.site.lan);
  assert.equal(status, 401);
  const sent = world.site.seen.slice(from).filter(({ path }) => path === "/api/echo");
  assert.deepEqual(
    sent.map(({ host, authorization }) => [host, authorization]),
    [[new URL(world.site.lan).host, undefined]],
  );
  await page.context().close();
});
