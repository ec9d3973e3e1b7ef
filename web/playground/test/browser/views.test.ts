import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { act, open, reaches, says, startWorld, tab, visit, type World } from "./world.js";

/** Where pictures of every view are left, to be looked at. */
const PICTURES = ".build/pictures";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let world: World;
before(async () => {
  world = await startWorld();
  mkdirSync(PICTURES, { recursive: true });
});
after(() => world.stop());

declare global {
  // What the script above makes.
  var axe: { run(): Promise<AxeResults> };
}

/** What an accessibility check has to say of a page and its frames. */
async function findings(page: Page): Promise<string[]> {
  for (const frame of page.frames()) await frame.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`,
  );
}

/** What of a page is wider than the window, beside what can be scrolled by itself. */
const overflows = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("body, body *:not(svg *, .wide *, .scroll *)")]
      .filter(
        (one) => one.scrollWidth > innerWidth || one.getBoundingClientRect().right > innerWidth,
      )
      .filter((one) => !one.matches(".wide, .scroll"))
      .map((one) => `${one.tagName}.${one.className}`),
  );

for (const colorScheme of ["light", "dark"] as const)
  for (const [language, locale] of [
    ["en", "en-US"],
    ["zh", "zh-CN"],
  ] as const)
    for (const width of [1280, 390])
      test(`nothing is in anybody's way (${colorScheme}, ${language}, ${width} px)`, async () => {
        const viewport = { width, height: width === 390 ? 844 : 900 };
        const name = `${PICTURES}/${colorScheme}-${language}-${width}`;
        const { page, wrongs } = await open(world, { colorScheme, locale, viewport });
        assert.equal(
          await page.locator("html").getAttribute("lang"),
          language === "en" ? "en" : "zh-CN",
        );
        assert.deepEqual(await findings(page), []);
        await act(page, language === "en" ? /role/ : /角色/);
        await page.screenshot({ path: `${name}.png`, fullPage: true });
        await act(page, language === "en" ? /Kick/ : /踢下线/);
        await tab(page, "B").locator(".over").waitFor();
        assert.deepEqual(await findings(page), []);
        assert.deepEqual(await overflows(page), []);
        await page.screenshot({ path: `${name}-kicked.png`, fullPage: true });
        assert.deepEqual(wrongs, []);
        await page.context().close();
      });

test("an address without its key, or with a wrong one, says so", async () => {
  for (const url of [world.url.split("#")[0]!, `${world.url}x`]) {
    const { page, wrongs } = await visit(world, url);
    await says(page, "h1", "lacks its key");
    assert.deepEqual(await findings(page), []);
    assert.deepEqual(wrongs, []);
    await page.screenshot({ path: `${PICTURES}/no-key.png` });
    await page.context().close();
  }
});

test("the language changes in the page and in its tabs, and is kept", async () => {
  const { page } = await open(world);
  await page.getByRole("button", { name: "中文" }).click();
  await says(page, "h1", "一个会话");
  await says(tab(page, "B"), "h2", "标签页 B");
  assert.equal(await tab(page, "A").locator("html").getAttribute("lang"), "zh-CN");
  await page.reload();
  await says(page, "h1", "一个会话");
  assert.equal(await page.title(), "Symbolon 演示页");
  await page.context().close();
});

test("the keyboard reaches every button, and the focus stays where it was", async () => {
  const { page } = await open(world);
  await page.keyboard.press("Tab");
  assert.equal(
    await page.evaluate(() => document.activeElement?.textContent),
    "Skip to the buttons",
  );
  await page.keyboard.press("Enter");
  const focused = () =>
    page.evaluate(() => document.activeElement?.querySelector("b")?.textContent);
  const seen: unknown[] = [];
  for (let at = 0; at < 5; at++) {
    await page.keyboard.press("Tab");
    seen.push(await focused());
  }
  assert.deepEqual(seen, [
    "Renew fifty times at once",
    "Replay an old refresh token",
    "Kick",
    "Change the role",
    "Sign in on another device",
  ]);
  await page.keyboard.press("Shift+Tab");
  await page.locator('.acts button:not([aria-disabled="true"])').first().waitFor();
  await page.keyboard.press("Enter");
  await page.locator('.told[data-is="done"]').waitFor();
  assert.equal(await focused(), "Change the role");
  await page.context().close();
});

test("the page is drawn before its back end has said anything", async (t) => {
  const { page } = await visit(world, "about:blank");
  let goOn = () => {};
  const held = new Promise<void>((done) => (goOn = done));
  await page.route("**/back-end/setup", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(world.url);
  await says(page, "h1", "One session, two tabs");
  assert.equal(await page.locator('.acts button[aria-disabled="true"]').count(), 5);
  const paint = await page.evaluate(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
  );
  t.diagnostic(`first contentful paint after ${Math.round(paint ?? NaN)} ms`);
  goOn();
  for (const who of ["A", "B"] as const) await reaches(page, who, "fresh");
  await page.context().close();
});
