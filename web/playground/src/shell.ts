/** What holds the tabs together: it hears what they see, signs in for them, and acts on both. */

import * as acts from "./acts.js";
import type { Backend } from "./backend.js";
import { enable } from "./dom.js";
import type { Latency } from "./latency.js";
import type { Log } from "./log.js";
import type { Act, Outcome } from "./outcome.js";
import { grantOf } from "./network.js";
import type { Seen } from "./seen.js";
import type { Speech } from "./speech.js";
import type { Timeline } from "./timeline.js";
import { type Grant, now, type Setup, type Shell, type Tab } from "./wire.js";

/** The most grants that are remembered. Inclusive. */
const GRANTS_MAX = 200;

/** What it works with. */
interface Works {
  readonly setup: Setup;
  readonly backend: Backend;
  readonly speech: Speech;
  readonly timeline: Timeline;
  readonly log: Log;
  readonly latency: Latency;
  readonly seen: Seen;
  readonly buttons: Readonly<Record<Act, Element>>;
  readonly busy: HTMLInputElement;
  /** What the tabs' frames are in. */
  readonly tabs: readonly HTMLElement[];
  /** Gives up: the back end refused, or does not answer. */
  sorry(why: unknown): undefined;
}

/** Opens the tabs; returns what runs an act. */
export function shell(works: Works): (act: Act) => void {
  const { setup, backend, speech, buttons, sorry } = works;
  const tabs: Tab[] = [];
  const grants: Grant[] = [];
  const needed = new Map<string, number>();
  let isActing = false;
  speech.told(() => tabs.forEach((tab) => tab.speak(speech.language)));

  const look = () => {
    const isPossible = tabs.some(({ client, isOffline }) => client.session.sid && !isOffline);
    for (const button of Object.values(buttons)) enable(button, isPossible && !isActing);
  };

  const saw: Shell["saw"] = (entry) => {
    works.timeline.add(entry);
    works.log.add(entry);
    look();
  };

  const granted = (grant: Grant) => {
    grants.push(grant);
    grants.splice(0, grants.length - GRANTS_MAX);
  };

  const signIn: Shell["signIn"] = async (tab) => {
    const tokens = await backend.signIn().catch(sorry);
    if (!tokens) return;
    granted(grantOf(tokens));
    await tab.client.signIn(tokens);
  };

  const run = async (act: Act): Promise<void> => {
    isActing = true;
    saw({ at: now(), who: "outside", mark: "act", about: act });
    works.seen.show({ act, is: "running" });
    const stage = { setup, backend, grants, tabs, tell: works.seen.show };
    const outcome = await acts[act](stage).catch((why: Error): Outcome => ({
      act,
      is: "failed",
      why: why.message,
    }));
    works.seen.show(outcome);
    if ("refusedMs" in outcome) works.latency.add(act, outcome.refusedMs);
    isActing = false;
    look();
  };

  const join: Shell["join"] = (tab) => {
    tabs.push(tab);
    tabs.sort((one, other) => one.who.localeCompare(other.who));
    look();
    // Unless another window of this browser has a session already, which these tabs take part in then.
    const isNobody = tabs.every(({ client }) => !client.session.sid);
    if (tabs.length === works.tabs.length && isNobody) void signIn(tabs[0]!);
  };

  window.playground = {
    setup,
    get language() {
      return speech.language;
    },
    get isBusy() {
      return works.busy.checked;
    },
    saw,
    granted,
    signIn,
    join,
    changed: look,
    needs(who, height) {
      needed.set(who, height);
      const most = Math.max(...needed.values());
      for (const tab of works.tabs) tab.style.minHeight = `${most}px`;
    },
  };
  for (const tab of works.tabs) {
    const frame = tab.querySelector("iframe")!;
    frame.src = `/playground/tab#${frame.id}`;
  }
  return (act) => void run(act);
}
