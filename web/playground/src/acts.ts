/** What is done to the session from outside the tabs, by the public API alone, and what comes of it. */

import type { Tokens } from "@symbolon/client";
import type { Backend } from "./backend.js";
import type { Outcome } from "./outcome.js";
import { untilRefused } from "./probe.js";
import { type Grant, now, type Setup, type Tab } from "./wire.js";

/** How many race. */
export const RACERS = 50;

/** How long is waited for what must come. */
const PATIENCE_MS = 20_000;

/** How often a page renews until it was granted something, while others may be faster. */
const RENEWALS_MAX = 8;

/** What is more than the grace window waited, since it is the authority that counts it. */
const BEYOND_GRACE_MS = 300;

/** What acts need of the page. */
export interface Stage {
  readonly setup: Setup;
  readonly backend: Backend;
  /** All grants that were seen, in order; another window may have signed in since. */
  readonly grants: readonly Grant[];
  readonly tabs: readonly Tab[];
  /** Called with what it waits for, and in the end with what it came to. */
  tell(outcome: Outcome): void;
}

/** A tab through which a session can be renewed. */
const connected = ({ tabs }: Stage): Tab => {
  const tab = tabs.find(({ isOffline, client }) => !isOffline && client.session.sid);
  if (!tab) throw new Error("no tab is signed in and online");
  return tab;
};

const renewal = ({ setup }: Stage, refresh: string): Promise<Response> =>
  fetch(`${setup.authority}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      client_id: setup.client_id,
      refresh_token: refresh,
    }),
  });

/**
 * Sends one refresh token fifty times at once. The tab renews beside them, and is answered alike: what it holds is its
 * client's to say, and handing it a racer's tokens could put them in the place of newer ones.
 */
export async function race(stage: Stage): Promise<Outcome> {
  const tab = connected(stage);
  const refresh = await newest(stage, tab);
  const { sid } = tab.client.session;
  const since = now();
  const racing = Promise.all(Array.from({ length: RACERS }, () => renewal(stage, refresh)));
  const beside = tab.renew();
  const answers = await racing;
  const ms = now() - since;
  await beside;
  const granted = answers.filter(({ ok }) => ok);
  const bodies = (await Promise.all(granted.map((answer) => answer.json()))) as Tokens[];
  return {
    act: "race",
    is: "done",
    asked: RACERS,
    answered: bodies.length,
    successors: new Set(bodies.map((body) => body.refresh_token)).size,
    signedIn: tab.client.session.sid === sid && isAlive(tab.client.session.phase),
    ms,
  };
}

const ofSession = ({ grants }: Stage, { client }: Tab) =>
  grants.filter(({ sid }) => sid === client.session.sid);

/** Whether somebody is signed in: who renews, or must, still is. */
const isAlive = (phase: string) => ["fresh", "stale", "renewing"].includes(phase);

/** Renews until this page was granted what is wanted: where another window renews meanwhile, its tokens are adopted. */
async function renewing(tab: Tab, isThere: () => boolean): Promise<void> {
  for (let times = 0; !isThere() && times < RENEWALS_MAX; times += 1) await tab.renew();
}

/** The refresh token in force. Another window may have renewed unseen; then this one does first. */
async function newest(stage: Stage, tab: Tab): Promise<string> {
  const held = await tab.client.token();
  if (ofSession(stage, tab).at(-1)?.access !== held) {
    const before = ofSession(stage, tab).length;
    await renewing(tab, () => ofSession(stage, tab).length > before);
  }
  const refresh = ofSession(stage, tab).at(-1)?.refresh;
  if (!refresh) throw new Error("this page was granted no refresh token");
  return refresh;
}

/** Shows a refresh token that was replaced so long ago that no tab and no retry can mean it. */
export async function replay(stage: Stage): Promise<Outcome> {
  const tab = connected(stage);
  const old = await dead(stage, tab);
  const heard = await probing(stage);
  const since = now();
  const answer = await renewal(stage, old);
  const { reason = String(answer.status) } = (await answer.json()) as { reason?: string };
  return { act: "replay", is: "done", reason, refusedMs: (await heard.refusedAt) - since };
}

/** A refresh token whose grace window has closed; waits for one if there is none. */
async function dead(stage: Stage, tab: Tab): Promise<string> {
  const grace = stage.setup.grace_ms + BEYOND_GRACE_MS;
  const chain = () => {
    const all = ofSession(stage, tab).filter(({ refresh }) => refresh);
    return all.filter(({ refresh }, at) => refresh !== all[at - 1]?.refresh);
  };
  // One to be replaced and its successor, where another window has done the renewing so far.
  await renewing(tab, () => chain().length > 1);
  const [old, next] = chain();
  if (!old?.refresh || !next) throw new Error("this page saw no refresh token being replaced");
  for (let left = next.at + grace - now(); left > 0; left = next.at + grace - now()) {
    stage.tell({ act: "replay", is: "waiting", ms: left });
    await new Promise((done) => setTimeout(done, Math.min(left, 250)));
  }
  return old.refresh;
}

/** Ends the session as an operator does, and waits until all verifiers have confirmed it. */
export async function kick(stage: Stage): Promise<Outcome> {
  const heard = await probing(stage);
  const since = now();
  const { verifiers } = await stage.backend.kick();
  return {
    act: "kick",
    is: "done",
    refusedMs: (await heard.refusedAt) - since,
    applied: verifiers?.applied ?? 0,
    live: verifiers?.live ?? 0,
    appliedMs: verifiers?.elapsed_ms ?? 0,
  };
}

/** Gives the person another role, and waits until both tabs have it. */
export async function role(stage: Stage): Promise<Outcome> {
  const tab = connected(stage);
  const to = tab.role === "manager" ? "reader" : "manager";
  const heard = await probing(stage);
  const since = now();
  await stage.backend.role(to);
  const refusedMs = (await heard.refusedAt) - since;
  const online = stage.tabs.filter(({ isOffline }) => !isOffline);
  await until(() => online.every((tab) => tab.role === to));
  return { act: "role", is: "done", role: to, refusedMs, renewedMs: now() - since };
}

/** Signs the same person in on another device of the same kind. */
export async function displace(stage: Stage): Promise<Outcome> {
  const heard = await probing(stage);
  const since = now();
  const { displaced } = await stage.backend.displace();
  const refusedMs = (await heard.refusedAt) - since;
  return { act: "displace", is: "done", refusedMs, ended: displaced.length };
}

async function probing(stage: Stage) {
  const token = await connected(stage).client.token();
  const heard = untilRefused(stage.setup.demo_apis, token!);
  await heard.isReady;
  return heard;
}

async function until(is: () => boolean): Promise<void> {
  for (const since = now(); !is();) {
    if (now() - since > PATIENCE_MS) throw new Error("it did not come in time");
    await new Promise((done) => setTimeout(done, 5));
  }
}
