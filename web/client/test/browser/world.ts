/** Authority, site and browser together, and what pages do there. */

import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import type * as sdk from "../../src/index.js";
import type { dpop } from "../../src/dpop.js";
import type { listen } from "../../src/events.js";
import { type Authority, freePort, startAuthority } from "./authority.js";
import { browserAt } from "./programs.js";
import { type Site, startSite } from "./site.js";

declare global {
  interface Window {
    sdk: typeof sdk & { listen: typeof listen; dpop: typeof dpop };
    client: sdk.Client;
    /** The name of the page's key, if it has one. */
    jkt: string | undefined;
    /** What the client told. */
    told: [string, unknown][];
    /** How far this page's clocks are off, in milliseconds. */
    skew: number;
  }
}

/** What pages are served by. */
export interface Servers {
  readonly authority: Authority;
  readonly site: Site;
  stop(): Promise<void>;
}

/** All there is. */
export interface World extends Servers {
  readonly browser: Browser;
}

/** Starts what pages are served by. */
export async function startServers(): Promise<Servers> {
  const port = await freePort();
  const authority = await startAuthority([`http://127.0.0.1:${port}`, `http://localhost:${port}`]);
  const site = await startSite(port, () => authority);
  const stop = async () => {
    await site.stop();
    await authority.stop();
  };
  return { authority, site, stop };
}

/** Starts it, with a browser that is given these flags too. */
export async function startWorld(flags: readonly string[] = []): Promise<World> {
  const executablePath = browserAt("CHROMIUM", "/usr/bin/chromium", "chromium");
  const servers = await startServers();
  const browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--host-resolver-rules=MAP lan.test 127.0.0.1",
      ...flags,
    ],
  });
  const stop = async () => {
    await browser.close();
    await servers.stop();
  };
  return { ...servers, browser, stop };
}

/** How a page's client is set up. */
export interface Setup {
  /** `bound` proves a key with everything. */
  readonly clientId: "web" | "spa" | "app" | "twenty" | "one" | "bound" | "brief";
  readonly storage?: "cookie" | "memory" | "local";
  readonly listen?: boolean;
  readonly patience?: number;
  /** Signs in again by itself when the session is over. */
  readonly signsInAgain?: string;
  /** Goes straight to the authority, not through the site. */
  readonly direct?: boolean;
}

/** Lets a page's clocks be moved. */
export function movableClocks(): void {
  window.skew = 0;
  const [mono, wall] = [performance.now.bind(performance), Date.now.bind(Date)];
  performance.now = () => mono() + Math.max(window.skew, 0);
  Date.now = () => wall() + window.skew;
}

/** A fresh browser profile, whose pages can have their clocks moved. */
export async function profile(world: World): Promise<BrowserContext> {
  const context = await world.browser.newContext();
  context.setDefaultTimeout(60_000);
  await context.addInitScript(movableClocks);
  return context;
}

/** Opens a page with a client; it has restored by then. */
export async function open(
  world: Servers,
  context: BrowserContext,
  setup: Setup,
  origin = world.site.origin,
): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin);
  await page.waitForFunction(() => !!window.sdk);
  await page.evaluate(
    async ([setup, origin, other, authority]) => {
      const { createClient, dpop, memory, webStorage, listen } = window.sdk;
      window.told = [];
      const at = setup.direct ? authority : origin;
      const key =
        setup.clientId === "bound"
          ? await dpop({ name: "bound", authority: at, issuer: authority })
          : undefined;
      window.jkt = key?.jkt;
      const storage =
        setup.storage === "memory"
          ? { storage: memory }
          : setup.storage === "local"
            ? { storage: webStorage(localStorage) }
            : {};
      const client = (window.client = createClient({
        authority: at,
        ...(key && { fetch: key.fetch }),
        issuer: authority,
        clientId: setup.clientId,
        origins: [other],
        ...(setup.patience !== undefined && { patience: setup.patience }),
        ...storage,
        ...(setup.signsInAgain && {
          onSessionEnded: async () => {
            const body = JSON.stringify({
              subject: setup.signsInAgain,
              client_id: setup.clientId,
              device: { class: "web" },
            });
            const answer = await fetch("/sign-in", { method: "POST", body });
            return (await answer.json()) as never;
          },
        }),
      }));
      for (const name of [
        "renewed",
        "stale",
        "offline",
        "ended",
        "displaced",
        "step-up",
        "ending-soon",
      ] as const)
        client.on(name, (told) => window.told.push([name, told]));
      if (setup.listen) listen(client);
      await client.ready;
    },
    [setup, origin, world.site.other, world.authority.url] as const,
  );
  return page;
}

/** Signs a person in at the back end, as this page; gives the session's id. */
export function signIn(page: Page, setup: Setup, subject: string): Promise<string> {
  return page.evaluate(
    async ([clientId, subject]) => {
      const body = JSON.stringify({
        subject,
        client_id: clientId,
        device: { class: "web", name: "Firefox" },
        jkt: window.jkt,
      });
      const answer = await fetch("/sign-in", { method: "POST", body });
      const tokens = await answer.json();
      await window.client.signIn(tokens.access_token ? tokens : undefined);
      window.told.length = 0;
      return window.client.session.sid!;
    },
    [setup.clientId, subject] as const,
  );
}

/** The phase that a page is in. */
export const phase = (page: Page): Promise<string> =>
  page.evaluate(() => window.client.session.phase);

/** Waits until a page is in a phase. */
export const reaches = async (page: Page, phase: string): Promise<void> => {
  await page.waitForFunction((phase) => window.client.session.phase === phase, phase, {
    polling: 5,
  });
};

/** The status of a request of a page. */
export const get = (page: Page, path = "/api/echo"): Promise<number> =>
  page.evaluate(async (path) => (await window.client.fetch(path)).status, path);

/** Stops a page's timers and messages, as a browser does with tabs in the background, or lets them go on. */
export async function freeze(page: Page, frozen: boolean): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: frozen ? "frozen" : "active" });
  await session.detach();
}

/** Waits until the service itself refuses a token. */
export async function untilRefused(world: World, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  while ((await fetch(`${world.authority.demo}/me`, { headers })).status !== 401) await pause(20);
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Waits until four seconds have passed for the authority, so that any grace window of client `spa` is over. */
export async function untilGraceIsOver(world: World): Promise<void> {
  const start = { subject: "sand-glass", client_id: "spa", device: { class: "web" } };
  const { access_token } = (await world.authority.api("POST", "/v1/sessions", start)) as {
    access_token: string;
  };
  await untilRefused(world, access_token);
}

/** Waits until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(5);
}

/** Makes a page's token one that services refuse, by a change of roles. */
export const makeStale = (world: Servers, subject: string): Promise<unknown> =>
  world.authority.api("PUT", `/v1/subjects/${subject}`, { roles: [crypto.randomUUID()] });

/** Sends a body, and gives the status and whether it came back to the byte. */
export const echo = (page: Page, text: string): Promise<readonly [number, boolean]> =>
  page.evaluate(async (text) => {
    const answer = await window.client.fetch("/api/echo", { method: "POST", body: text });
    return [answer.status, (await answer.text()) === text] as const;
  }, text);
