/** English. */

import { millis } from "./figures.js";
import type { Words } from "./words.js";

const reasons: Readonly<Record<string, string>> = {
  kicked: "kicked by an operator",
  displaced: "displaced by another device",
  replayed: "an old refresh token came back",
  banned: "the account is banned",
  signed_out: "signed out",
  idle: "unused for too long",
  expired: "at the end of its time",
};

const services: Readonly<Record<string, string>> = {
  "/me": "demo API",
  "/oauth2/token": "renewal",
  events: "token for the event stream",
};

export const en: Words = {
  lang: "en",
  title: "Symbolon playground",
  headline: "One session, two tabs",
  lead: "A real authority, the real browser SDK and two real services, on this machine. Only the trouble is made up: press a button and see who notices.",
  skip: "Skip to the buttons",
  other: "中文",
  noKey: "This address lacks its key.",
  noKeyHow:
    "Open the one that “symbolon dev” printed, with everything after the “#”. It lets this page act, and nobody else on this machine.",
  unreachable: "“symbolon dev” does not answer. Is it still running?",
  tab: (who) => `Tab ${who}`,
  outside: "From outside",
  outsideHint: "What other people, and thieves, do to the session of both tabs.",
  acts: {
    race: { name: "Renew fifty times at once", hint: "as fifty careless requests would" },
    replay: { name: "Replay an old refresh token", hint: "as a thief with a copy would" },
    kick: { name: "Kick", hint: "as an operator would" },
    role: { name: "Change the role", hint: "from reader to manager, and back" },
    displace: { name: "Sign in on another device", hint: "one device of a kind is allowed" },
  },
  faults: {
    lose: ["Lose answer", "Losing it"],
    offline: ["Go offline", "Back online"],
    clock: ["Clock +2 h", "Clock right"],
  },
  faultNotes: {
    quiet: "Trouble for this tab alone:",
    lost: "The authority has renewed, and its answer never came. Asking again…",
    found: "Asked again with the same token: the same successor. The request never noticed.",
    offline: "Offline. Requests wait, and nobody is signed out.",
    online: "Back. It took what the other tab had, or renewed.",
    ahead: "The clock jumped. That costs one early renewal, and nothing else.",
    right: "The clock jumped back. Nothing happens at all.",
  },
  ring: (left, of) => `Access token: ${left} of ${of} seconds left`,
  left: "s left",
  none: "no token",
  phases: {
    restoring: "looking…",
    fresh: "signed in",
    stale: "must renew",
    renewing: "renewing…",
    "signed-out": "signed out",
    ended: "signed out",
    displaced: "signed out",
    offline: "offline",
  },
  rows: { role: "Role", renewals: "Renewals", answer: "Last answer", clock: "Its clock" },
  renewals: (own, taken) => `${own} own, ${taken} shared`,
  waits: "waiting…",
  over: (reason, device) =>
    reason === "displaced" && device
      ? `Signed out: displaced by “${device}”.`
      : `Signed out: ${reasons[reason] ?? reason}.`,
  signIn: "Sign in again",
  signingIn: "Signing in…",
  seen: "What you saw",
  nothingYet:
    "Leave it alone and both rings refill: one tab renews, the other takes what it got. Then press something.",
  figures: {
    answered: "answered",
    successors: "successor",
    out: "signed out",
    took: "in all",
    refused: "until the services refuse",
    applied: "services have confirmed",
    confirmed: "until they had confirmed",
    renewed: "until both tabs have the new role",
    reason: "reason",
  },
  outcome(outcome) {
    switch (outcome.is) {
      case "running":
        return "Under way…";
      case "waiting":
        return `A replaced refresh token is good for its grace window still, for tabs that raced. It closes in ${Math.ceil(outcome.ms / 1000)} s.`;
      case "failed":
        return `That did not work: ${outcome.why}`;
      case "done":
    }
    switch (outcome.act) {
      case "race":
        return outcome.signedIn
          ? "All got the same new token, and the session lives. With a rotation that is not made for it, forty-nine would have looked like thieves."
          : "The session did not survive. That is not what is promised.";
      case "replay":
        return "Thief or owner, somebody held a copy: the session is over on every service, and the reason is told. Only this session: others of the same person go on.";
      case "kick":
        return `The access token itself had time left. Both services verify it alone and asked nobody: they were told, and confirmed after ${millis(outcome.appliedMs)}.`;
      case "role":
        return `The old token says what is no longer true, so services refuse it as stale: that means “renew”, not “sign in”. The tabs did, and are “${outcome.role}” now. Nobody was signed out.`;
      case "displace":
        return "The policy of this client allows one browser per person. The newer sign-in wins, and the tabs are told why they are out.";
    }
  },
  timeline: "The last minute",
  timelineHint: "Bars are the lives of access tokens; a new one begins where a renewal came.",
  busy: "A request every 2 s",
  ago: (seconds) => (seconds ? `${seconds} s ago` : "now"),
  legend: {
    life: "access token",
    request: "request",
    renewal: "renewal",
    taken: "taken from the other tab",
    trouble: "refused, lost, ended",
  },
  lanes: { A: "Tab A", B: "Tab B", outside: "Outside" },
  timelineSays: (renewals, requests, refused) =>
    `In the last minute: ${requests} requests, ${renewals} renewals, ${refused} refusals or losses.`,
  log: "Log",
  columns: ["At", "Who", "What", "Took"],
  entry({ mark, about = "", status }) {
    switch (mark) {
      case "life":
        return "";
      case "request":
        return `${services[about] ?? about}: ${status}`;
      case "refused":
        return `${services[about] ?? about}: refused, ${status}`;
      case "renewal":
        return about === "events" ? "new token, for the event stream" : "renewed";
      case "taken":
        return "took the other tab’s new token";
      case "lost":
        return "renewed, and the answer was lost";
      case "unsent":
        return "could not send: offline";
      case "ended":
        return `told: session over, ${reasons[about] ?? about}`;
      case "signed-in":
        return "signed in";
      case "act":
        return en.acts[about as keyof Words["acts"]]?.name ?? about;
    }
  },
  latency: "From revoked to refused",
  latencyHint:
    "Measured here, at both demo APIs: from sending the order until the later one refuses a token that was good, the order’s own way included.",
  latencyNone: "Kick, replay, displace or change the role to measure it.",
  latencyOf: (count, median) => `${count} measured, median ${median}`,
  costs: "The preset, and what it costs",
  costsHint: (client, preset) =>
    `Client “${client}” runs under ${preset}. For 1,000 requests of one person, one every 10 s; as “symbolon explain client” says it.`,
  inForce: "in force",
  costColumns: [
    "Preset",
    "Token lives",
    "Each request carries",
    "Store reads",
    "Store writes",
    "A kicked person is let in, with the feed",
    "without it",
  ],
  presetMeans: {
    "dual-token": "a short JWT, and a refresh token that rotates",
    "gateway-session": "a cookie, which a gateway turns into short JWTs",
    "sliding-session": "one long JWT that never changes",
    "opaque-session": "one opaque token that is asked about",
  },
  never: "cannot be read alone",
  bytes: (bytes) => `${bytes} B`,
  footer: "Everything here goes through the public API, and is the SDK’s own example.",
  api: "The API, call by call",
};
