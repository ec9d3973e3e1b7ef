import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Effects,
  type Event,
  initial,
  next,
  type Phase,
  type State,
  usable,
} from "../../src/machine.js";
import { type Held, heldOf } from "../../src/tokens.js";
import { endingOf } from "../../src/warning.js";

const NOW = 1_000_000;
const LIFE = 300;

const held = (count = 1, sid = "s", at = NOW, token = `at-${count}`): Held =>
  heldOf(
    { access_token: token, expires_in: LIFE, session_id: sid, refresh_token: `rt-${count}` },
    at,
    1,
    count,
  );

const DUE = NOW + (LIFE - 60) * 1000;
const SPENT = NOW + (LIFE - 15) * 1000;
const OVER = { reason: "kicked" };

const states: Record<Phase, State> = {
  restoring: { ...initial, flight: 1 },
  "signed-out": { ...initial, phase: "signed-out", flight: 1, end: { reason: "signed_out" } },
  fresh: { ...initial, phase: "fresh", flight: 1, held: held() },
  stale: { ...initial, phase: "stale", flight: 1, held: { ...held(), early: Infinity } },
  renewing: { ...initial, phase: "renewing", flight: 1, held: held() },
  displaced: { ...initial, phase: "displaced", flight: 1, end: { reason: "displaced" } },
  ended: { ...initial, phase: "ended", flight: 1, end: OVER },
};

const PHASES = Object.keys(states) as Phase[];

/** Each event, and what it comes to in each phase, in the order of `PHASES`: the phase after it, and the effects. */
const says = (step: readonly [State, Effects]): string => {
  const [{ phase }, effects] = step;
  const said = Object.entries(effects).map(([what, about]) => {
    if (what === "tell") return `tell:${(about as Event).is}`;
    if (what === "keep") return about ? "keep" : "forget";
    return what === "emit" ? Object.keys(about as object).map((name) => `emit:${name}`) : what;
  });
  return [phase, ...said.flat()].join(" ");
};

// prettier-ignore
const TABLE: readonly (readonly [name: string, event: Event, at: number, ...expected: string[]])[] = [
  // restoring, signed-out, fresh, stale, renewing, displaced, ended
  ["somebody signs in", { is: "signed-in", held: held(0, "t") }, NOW, ...Array<string>(7).fill("fresh keep tell:signed-in wake")],
  ["another tab signs in", { is: "signed-in", held: held(0, "t"), elsewhere: true }, NOW, ...Array<string>(7).fill("fresh wake")],
  ["a cookie was set", { is: "restore" }, NOW, "restoring renew", "renewing renew", "renewing renew", "stale renew", ...Array<string>(3).fill("renewing renew")],
  ["another tab asks", { is: "hello" }, NOW, "restoring", "signed-out", "fresh tell:adopted", "stale tell:adopted", "renewing tell:adopted", "displaced", "ended"],
  ["another tab asks when it is due", { is: "hello" }, DUE, "restoring", "signed-out", "fresh tell:adopted", "stale tell:adopted", "renewing tell:adopted", "displaced", "ended"],
  ["another tab renewed", { is: "adopted", held: held(2), elsewhere: true }, NOW, "fresh wake", "signed-out", "fresh wake", "fresh wake", "fresh wake", "displaced", "ended"],
  ["an older renewal is told late", { is: "adopted", held: held(1), elsewhere: true }, NOW, "fresh wake", "signed-out", "fresh", "stale", "renewing", "displaced", "ended"],
  ["a renewal of another session is told", { is: "adopted", held: held(9, "t"), elsewhere: true }, NOW, "fresh wake", "signed-out", "fresh", "stale", "renewing", "displaced", "ended"],
  ["the refresh token was replaced here", { is: "adopted", held: held(2) }, NOW, "fresh keep tell:adopted wake", "signed-out", ...Array<string>(3).fill("fresh keep tell:adopted wake"), "displaced", "ended"],
  ["a request comes early", { is: "asked" }, DUE - 1, ...PHASES],
  ["a request comes when it is due", { is: "asked" }, DUE, "restoring", "signed-out", "renewing renew", "stale", "renewing", "displaced", "ended"],
  ["the token is refused", { is: "spent", token: "at-1" }, NOW, "restoring", "signed-out", "stale renew", "stale", "stale", "displaced", "ended"],
  ["the token is refused as stale", { is: "spent", token: "at-1", stale: true }, NOW, "restoring", "signed-out", "stale emit:stale renew", "stale", "stale", "displaced", "ended"],
  ["an older token is refused", { is: "spent", token: "at-0" }, NOW, ...PHASES],
  ["the person's roles change", { is: "spent", stale: true }, NOW, "restoring", "signed-out", "stale emit:stale renew", "stale", "stale", "displaced", "ended"],
  ["the page wakes early", { is: "woke" }, DUE - 1, ...PHASES],
  ["the page wakes late", { is: "woke" }, DUE, "restoring", "signed-out", "renewing renew", "stale", "renewing", "displaced", "ended"],
  ["the renewal is answered", { is: "renewed", flight: 1, held: held(2) }, NOW, ...Array<string>(7).fill("fresh keep tell:adopted emit:renewed wake")],
  ["a renewal is answered that counts no more", { is: "renewed", flight: 0, held: held(2) }, NOW, ...PHASES],
  ["the renewal is denied", { is: "denied", flight: 1, end: OVER }, NOW, ...Array<string>(7).fill("ended forget tell:over drop emit:ended hold")],
  ["the renewal is denied for another device", { is: "denied", flight: 1, end: { reason: "displaced" } }, NOW, ...Array<string>(7).fill("displaced forget tell:over drop emit:displaced hold")],
  ["the authority knows no session", { is: "denied", flight: 1 }, NOW, "signed-out", "signed-out", ...Array<string>(3).fill("ended forget tell:over drop emit:ended hold"), "signed-out", "signed-out"],
  ["a denial comes that counts no more", { is: "denied", flight: 0, end: OVER }, NOW, ...PHASES],
  ["the authority does not answer", { is: "failed", flight: 1, retryMs: 5 }, NOW, ...PHASES.map((phase) => `${phase} emit:offline wake`)],
  ["the client is refused", { is: "failed", flight: 1, retryMs: 5, why: "x" }, NOW, ...PHASES.map((phase) => `${phase} wake`)],
  ["the authority ends the session", { is: "over", end: OVER, sid: "s" }, NOW, "restoring", "signed-out", ...Array<string>(3).fill("ended forget tell:over drop emit:ended hold"), "displaced", "ended"],
  ["the authority ends another session", { is: "over", end: OVER, sid: "t" }, NOW, ...PHASES],
  ["another tab heard of the end", { is: "over", end: OVER, sid: "s", elsewhere: true }, NOW, "restoring", "signed-out", ...Array<string>(3).fill("ended drop emit:ended hold"), "displaced", "ended"],
  ["the page signs out", { is: "signed-out" }, NOW, ...Array<string>(7).fill("signed-out revoke forget tell:signed-out")],
  ["another tab signs out", { is: "signed-out", elsewhere: true }, NOW, ...Array<string>(7).fill("signed-out drop")],
];

for (const [name, event, at, ...expected] of TABLE)
  test(`the table: ${name}`, () => {
    assert.equal(expected.length, PHASES.length);
    for (const [column, phase] of PHASES.entries())
      assert.equal(says(next(states[phase], event, at)), expected[column], `in ${phase}`);
  });

test("whatever happens after a sign-out but a sign-in, nobody is signed in", () => {
  const [out] = next(states.renewing, { is: "signed-out" }, NOW);
  for (const [name, event, at] of TABLE) {
    if (event.is === "signed-in" || event.is === "restore") continue;
    const late = "flight" in event ? { ...event, flight: 1 } : event;
    assert.equal(next(out, late, at)[0].held, undefined, name);
  }
});

test("every renewal begins a flight of its own, so that one answer counts", () => {
  const [first] = next(states.fresh, { is: "asked" }, DUE);
  const [second] = next({ ...first, failures: 1 }, { is: "woke" }, DUE);
  assert.ok(states.fresh.flight < first.flight && first.flight < second.flight);
  const late = next(second, { is: "renewed", flight: first.flight, held: held(2) }, DUE);
  assert.deepEqual(late, [second, {}]);
});

test("a token is sent beside its renewal while it lives, and not when it was refused", () => {
  const [renewing] = next(states.fresh, { is: "asked" }, DUE);
  assert.equal(usable(renewing, SPENT - 1)?.tokens.access_token, "at-1");
  assert.equal(usable(renewing, SPENT), undefined);
  const [refused] = next(renewing, { is: "spent", token: "at-1" }, DUE);
  assert.equal(usable(refused, DUE), undefined);
});

test("failures are counted until a success, and listeners hear of the first", () => {
  let [state, effects] = next(states.renewing, { is: "failed", flight: 1, retryMs: 5 }, NOW);
  assert.deepEqual(effects, { emit: { offline: undefined }, wake: 5 });
  [state, effects] = next(state, { is: "failed", flight: 1, retryMs: 5 }, NOW);
  assert.deepEqual([state.failures, effects], [2, { emit: {}, wake: 5 }]);
  [state] = next(state, { is: "renewed", flight: 1, held: held(2) }, NOW);
  assert.equal(state.failures, 0);
});

test("what is wrong with the set-up is known until an answer says otherwise", () => {
  const wrong = { is: "failed", flight: 1, retryMs: 5, why: "invalid_client" } as const;
  const [state] = next(states.restoring, wrong, NOW);
  assert.equal(state.why, "invalid_client");
  assert.equal(next(state, { is: "failed", flight: 1, retryMs: 5 }, NOW)[0].why, undefined);
  assert.equal(next(state, { is: "renewed", flight: 1, held: held(2) }, NOW)[0].why, undefined);
});

test("a page that wakes tries again at once where it waits for the next try, and only there", () => {
  for (const phase of ["restoring", "stale", "renewing"] as const) {
    assert.deepEqual(next(states[phase], { is: "woke" }, NOW)[1], {});
    const [again, effects] = next({ ...states[phase], failures: 3 }, { is: "woke" }, NOW);
    assert.deepEqual([again.phase, effects], [phase, { renew: 2 }]);
  }
});

test("a refresh token that was replaced while the access token is stale makes it no fresher", () => {
  const [stale] = next(states.fresh, { is: "spent" }, NOW);
  const replaced = { ...stale.held!, count: 2 };
  const [state] = next(stale, { is: "adopted", held: replaced }, NOW);
  assert.equal(usable(state, NOW), undefined);
  assert.deepEqual(next(state, { is: "asked" }, NOW)[1], { renew: state.flight + 1 });
});

test("a session that is about to end is warned of", () => {
  const ending = (refresh_expires_in: number) =>
    endingOf({ ...held(2), tokens: { ...held(2).tokens, refresh_expires_in } }, NOW);
  assert.equal(ending(120), 120_000);
  assert.equal(ending(121), undefined);
  assert.equal(endingOf(held(2), NOW), undefined);
});

test("a page that asked the other tabs in vain takes a late answer", () => {
  const [alone] = next(states.restoring, { is: "denied", flight: 1 }, NOW);
  assert.equal(alone.phase, "signed-out");
  assert.equal(next(alone, { is: "adopted", held: held(3) }, NOW)[0].phase, "fresh");
});

test("a page without a token that hears of one that is due renews it itself", () => {
  const [taken] = next(states.restoring, { is: "adopted", held: held(), elsewhere: true }, DUE);
  assert.equal(taken.phase, "fresh");
  assert.deepEqual(next(taken, { is: "asked" }, DUE)[1], { renew: taken.flight + 1 });
});
