/** `symbolon dev`, its page, and a browser. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  type FrameLocator,
  type Page,
} from "playwright-core";
import { browserAt, withUs } from "../../../client/test/browser/programs.js";

/** The binary; `./scripts/test` names the one that it has built. */
const BINARY = process.env["AUTHORITY_BINARY"] ?? "../../target/debug/symbolon";

/** Lives that a test can wait for. The grace window is as long as they let it be: a busy machine keeps tabs apart. */
const FLAGS = ["--access-token-ttl", "20s", "--grace", "10s"];

/** All there is. */
export interface World {
  /** The address that `dev` printed. */
  readonly url: string;
  readonly browser: Browser;
  stop(): Promise<void>;
}

/** Starts it. */
export async function startWorld(): Promise<World> {
  const listen = ["--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"];
  const executablePath = browserAt("CHROMIUM", "/usr/bin/chromium", "chromium");
  const log = process.env["AUTHORITY_LOG"] ? "inherit" : "ignore";
  const dev = withUs(
    spawn(BINARY, ["dev", "--json", ...listen, ...FLAGS], { stdio: ["ignore", "pipe", log] }),
  );
  const [line] = (await Promise.race([
    once(createInterface(dev.stdout), "line"),
    once(dev, "exit").then(() => Promise.reject(new Error(`${BINARY} did not start`))),
  ])) as [string];
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  return {
    url: (JSON.parse(line) as { playground: string }).playground,
    browser,
    async stop() {
      await browser.close();
      dev.kill();
      if (dev.exitCode === null && dev.signalCode === null) await once(dev, "exit");
    },
  };
}

/** A page in a fresh profile, and what it did that it must not. */
export interface Opened {
  readonly page: Page;
  /** Violations of the policy, errors of scripts, requests to others. */
  readonly wrongs: readonly string[];
}

/** Opens an address. */
export async function visit(
  { browser }: World,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser.newContext({ locale: "en-US", ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const wrongs: string[] = [];
  page.on("pageerror", (why) => wrongs.push(why.message));
  page.on("console", (said) => {
    if (/policy/i.test(said.text())) wrongs.push(said.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).hostname !== "127.0.0.1") wrongs.push(request.url());
  });
  await page.goto(url);
  return { page, wrongs };
}

/** Opens the playground; both tabs are signed in by then. */
export async function open(world: World, options: BrowserContextOptions = {}): Promise<Opened> {
  const opened = await visit(world, world.url, options);
  for (const who of ["A", "B"] as const) await reaches(opened.page, who, "fresh");
  return opened;
}

/** A tab. */
export const tab = (page: Page, who: "A" | "B"): FrameLocator => page.frameLocator(`iframe#${who}`);

/** Waits until a tab is in a state. */
export async function reaches(page: Page, who: "A" | "B", state: string): Promise<void> {
  const there = tab(page, who).locator(`.phase[data-state="${state}"]`);
  await there.waitFor().catch(async (why: Error) => {
    // What the page itself says of it is worth more than that nothing came.
    throw new Error(`${why.message}\n${await page.locator(".log").innerText()}`);
  });
}

/** Waits until an element says something. */
export const says = (within: Page | FrameLocator, what: string, text: string | RegExp) =>
  within.locator(what).filter({ hasText: text }).first().waitFor();

/** Presses a button by its name. */
export const press = (within: Page | FrameLocator, name: string | RegExp): Promise<void> =>
  within.getByRole("button", { name }).click();

/** Presses one of the buttons that act from outside, and gives the figures of what came of it. */
export async function act(page: Page, name: RegExp): Promise<string[]> {
  await page.locator('.acts button:not([aria-disabled="true"])').filter({ hasText: name }).click();
  await page.locator('.told:is([data-is="done"], [data-is="failed"])').waitFor();
  return page.locator(".figures b").allTextContents();
}
