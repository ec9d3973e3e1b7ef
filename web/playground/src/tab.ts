/** One of the two tabs: an application of four lines (`createClient`, `listen`, `fetch`), and what shows it. */

import { createClient, type End, memory } from "@symbolon/client";
import { listen } from "@symbolon/client/events";
import { enable, h, isEnabled, say } from "./dom.js";
import { lifeOf, millis } from "./figures.js";
import { network } from "./network.js";
import { ring } from "./ring.js";
import { type Entry, now, type Tab, type Who } from "./wire.js";
import { words as all, type Words } from "./words.js";

/** How often a tab sends a request by itself. */
const EVERY_MS = 2000;

/** How far a wrong clock is off. */
const AHEAD_MS = 7_200_000;

const shell = parent.playground!;
const who = location.hash.slice(1) as Who;
const { setup } = shell;
const [service] = setup.demo_apis as readonly [string];
let words: Words = all[shell.language];

const saw = (entry: Omit<Entry, "who">) => shell.saw({ ...entry, who });

/** The tokens that this tab was granted itself, of which the last few matter. */
const own: string[] = [];

const net = network(setup.authority, {
  saw(entry) {
    if (entry.mark === "lost") note = "lost";
    if (entry.mark === "renewal" && note === "lost") note = "found";
    saw(entry);
    show();
  },
  granted(grant) {
    own.push(grant.access);
    own.splice(0, own.length - 8);
    shell.granted(grant);
  },
});

/** The next answer is read as one that asks for a renewal. */
let isAsked = false;

const client = createClient({
  authority: setup.authority,
  issuer: setup.issuer,
  clientId: setup.client_id,
  storage: memory,
  origins: setup.demo_apis,
  fetch: net.fetch,
  classify: () => (isAsked ? ((isAsked = false), "renew") : undefined),
});
listen(client);

const realNow = Date.now.bind(Date);
let role = "";
let counted = { own: 0, taken: 0 };
let token: string | undefined;
let sid: string | undefined;
let answered = "";
let isAhead = false;
let note: keyof Words["faultNotes"] = "quiet";
let end: End | undefined;
let isSigningIn = false;

const tab: Tab = {
  who,
  client,
  get isOffline() {
    return net.isOffline;
  },
  get role() {
    return role;
  },
  async renew() {
    isAsked = true;
    await ask();
  },
  speak(language) {
    words = all[language];
    document.documentElement.lang = words.lang;
    speak();
  },
};

/** What every application does: it asks a service, and does not think of tokens. */
async function ask(): Promise<void> {
  const at = now();
  const timer = setTimeout(() => ((answered = words.waits), show()), 300);
  try {
    const answer = await client.fetch(`${service}/me`);
    answered = `${answer.status} · ${millis(now() - at)}`;
    if (answer.ok) role = ((await answer.json()) as { roles: string[] }).roles.join(" ");
  } catch (why) {
    answered = (why as Error).name;
  } finally {
    clearTimeout(timer);
    show();
  }
}

/** Looks which token the client holds now. */
async function look(): Promise<void> {
  const { session } = client;
  if (session.phase !== "fresh") return show();
  const held = await client.token().catch(() => undefined);
  if (!held || held === token) return show();
  const [isOwn, isNew] = [own.includes(held), session.sid !== sid];
  token = held;
  sid = session.sid;
  const life = lifeOf(held);
  if (isNew) counted = { own: 0, taken: 0 };
  else if (isOwn) counted.own++;
  else counted.taken++;
  if (life) saw({ at: now(), mark: "life", until: life[1] });
  if (isNew || !isOwn) saw({ at: now(), mark: isNew ? "signed-in" : "taken" });
  end = undefined;
  dial.show(life);
  void ask();
}

const over = (why: End) => {
  end = why;
  token = undefined;
  dial.show(undefined);
  saw({ at: now(), mark: "ended", about: why.reason });
  show();
};

const dial = ring(words);
const title = h("h2", { id: "tab", tabindex: -1 });
const phase = h("span", { class: "phase" });
const rows = { role: row(), renewals: row(), answer: row(), clock: row() };
const facts = h("dl", {}, ...Object.values(rows).map(({ element }) => element));
const overText = h("p", { class: "over" });
const again = h("button", { class: "main", type: "button", onclick: () => void signIn() });
const ended = h("div", { class: "ended", role: "alert" }, overText, again);
const noteText = h("p", { class: "note", role: "status" });
const faults = {
  lose: fault(() => {
    net.loseNext();
    void tab.renew();
  }),
  offline: fault(() => {
    net.setOffline(!net.isOffline);
    note = net.isOffline ? "offline" : "online";
    if (!net.isOffline) dispatchEvent(new Event("online"));
  }),
  clock: fault(() => {
    isAhead = !isAhead;
    Date.now = () => realNow() + (isAhead ? AHEAD_MS : 0);
    note = isAhead ? "ahead" : "right";
    void ask();
  }),
};
const root = h(
  "main",
  { class: "tab", "aria-labelledby": "tab" },
  h("header", {}, title, phase),
  h("div", { class: "state" }, dial.element, h("div", { class: "beside" }, facts, ended)),
  noteText,
  h("div", { class: "faults" }, ...Object.values(faults)),
);

function row() {
  const [name, value] = [h("dt"), h("dd")];
  return { element: h("div", {}, name, value), name, value };
}

function fault(act: () => void): HTMLButtonElement {
  const button = h("button", {
    type: "button",
    onclick: () => isEnabled(button) && (act(), show()),
  });
  return button;
}

async function signIn(): Promise<void> {
  if (!isEnabled(again)) return;
  isSigningIn = true;
  show();
  await shell.signIn(tab);
  isSigningIn = false;
  const hadFocus = document.activeElement === again;
  show();
  if (hadFocus && ended.hidden) title.focus();
}

/** What changes with every event. */
function show(): void {
  const state = net.isOffline ? "offline" : client.session.phase;
  const isOver = !!end && !token;
  say(phase, words.phases[state] ?? state);
  phase.dataset["state"] = isOver ? "over" : state;
  facts.hidden = isOver;
  ended.hidden = !isOver;
  say(overText, end ? words.over(end.reason, deviceOf(end)) : "");
  say(again, isSigningIn ? words.signingIn : words.signIn);
  enable(again, !isSigningIn && !net.isOffline);
  say(rows.role.value, role || "–");
  say(rows.renewals.value, words.renewals(counted.own, counted.taken));
  say(rows.answer.value, answered || "–");
  rows.clock.value.classList.toggle("wrong", isAhead);
  say(noteText, words.faultNotes[note]);
  enable(faults.lose, !isOver && !net.isOffline && note !== "lost");
  say(faults.lose, words.faults.lose[note === "lost" ? 1 : 0]);
  say(faults.offline, words.faults.offline[net.isOffline ? 1 : 0]);
  say(faults.clock, words.faults.clock[isAhead ? 1 : 0]);
  tick();
  shell.changed();
}

/** What changes with every second. */
function tick(): void {
  dial.tick();
  say(rows.clock.value, new Date(Date.now()).toLocaleTimeString(words.lang, { hour12: false }));
}

/** What changes with the language. */
function speak(): void {
  document.title = words.tab(who);
  say(title, words.tab(who));
  for (const [name, { name: element }] of Object.entries(rows))
    say(element, words.rows[name as keyof typeof rows]);
  dial.speak(words);
  show();
}

/** How much room the parts need, however much there is. */
function measure(): void {
  const { paddingTop, paddingBottom, rowGap } = getComputedStyle(root);
  const parts = [...root.children].map((part) => (part as HTMLElement).offsetHeight);
  const around = parseFloat(paddingTop) + parseFloat(paddingBottom);
  const height = parts.reduce((sum, one) => sum + one, (parts.length - 1) * parseFloat(rowGap));
  shell.needs(who, Math.ceil(height + around));
}

/** The authority names the device in a sentence; its name is in quotes. */
const deviceOf = ({ device }: End) => device && (/"([^"]+)"/.exec(device)?.[1] ?? device);

document.documentElement.lang = words.lang;
document.body.append(root);
speak();
client.subscribe(() => void look());
client.on("ended", over);
client.on("displaced", over);
for (const part of root.children) new ResizeObserver(measure).observe(part);
setInterval(tick, 250);
setTimeout(
  () => {
    let isAsking = false;
    setInterval(() => {
      if (isAsking || !token || !shell.isBusy) return;
      isAsking = true;
      void ask().finally(() => (isAsking = false));
    }, EVERY_MS);
  },
  who === "B" ? EVERY_MS / 2 : 0,
);
void client.ready.then(() => {
  shell.join(tab);
  void look();
});
