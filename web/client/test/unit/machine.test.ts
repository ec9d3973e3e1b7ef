import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Effect,
  type Event,
  initial,
  next,
  type Phase,
  ready,
  type State,
  usable,
} from "../../src/machine.js";
import { type Held, heldOf } from "../../src/tokens.js";

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
  stale: { ...initial, phase: "stale", flight: 1, held: held() },
  renewing: { ...initial, phase: "renewing", flight: 1, held: held() },
  displaced: { ...initial, phase: "displaced", flight: 1, end: { reason: "displaced" } },
  ended: { ...initial, phase: "ended", flight: 1, end: OVER },
};

const PHASES = Object.keys(states) as Phase[];

/** Each event, and what it comes to in each phase, in the order of `PHASES`: the phase after it, and the effects. */
const says = (step: readonly [State, readonly Effect[]]): string => {
  const [state, effects] = step;
  return [
    state.phase,
    ...effects.map(([what, about]) =>
      what === "share" || what === "emit" ? `${what}:${about}` : what,
    ),
  ].join(" ");
};

// prettier-ignore
const TABLE: readonly (readonly [name: string, event: Event, at: number, ...expected: string[]])[] = [
  // restoring, signed-out, fresh, stale, renewing, displaced, ended
  ["somebody signs in", { is: "signed-in", held: held(0, "t") }, NOW, ...Array<string>(7).fill("fresh share:signed-in wake")],
  ["another tab signs in", { is: "signed-in", held: held(0, "t"), elsewhere: true }, NOW, ...Array<string>(7).fill("fresh wake")],
  ["a cookie was set", { is: "restore" }, NOW, "restoring renew", ...Array<string>(6).fill("renewing renew")],
  ["another tab renewed", { is: "adopted", held: held(2) }, NOW, "fresh wake", "signed-out", "fresh wake", "fresh wake", "fresh wake", "displaced", "ended"],
  ["an older renewal is told late", { is: "adopted", held: held(1) }, NOW, "fresh wake", "signed-out", "fresh", "stale", "renewing", "displaced", "ended"],
  ["a renewal of another session is told", { is: "adopted", held: held(9, "t") }, NOW, "fresh wake", "signed-out", "fresh", "stale", "renewing", "displaced", "ended"],
  ["a request comes early", { is: "asked" }, DUE - 1, "restoring", "signed-out", "fresh", "renewing renew", "renewing", "displaced", "ended"],
  ["a request comes when it is due", { is: "asked" }, DUE, "restoring", "signed-out", "renewing renew", "renewing renew", "renewing", "displaced", "ended"],
  ["the token is refused", { is: "refused", token: "at-1" }, NOW, "restoring", "signed-out", "renewing renew", "renewing renew", "renewing", "displaced", "ended"],
  ["an older token is refused", { is: "refused", token: "at-0" }, NOW, "restoring", "signed-out", "fresh", "stale", "renewing", "displaced", "ended"],
  ["the person's roles change", { is: "told-stale" }, NOW, "restoring", "signed-out", "renewing emit:stale renew", "renewing emit:stale renew", "renewing", "displaced", "ended"],
  ["the page wakes early", { is: "woke" }, DUE - 1, "restoring", "signed-out", "fresh", "renewing renew", "renewing", "displaced", "ended"],
  ["the page wakes late", { is: "woke" }, DUE, "restoring", "signed-out", "renewing renew", "renewing renew", "renewing", "displaced", "ended"],
  ["the renewal is answered", { is: "renewed", flight: 1, held: held(2) }, NOW, ...Array<string>(7).fill("fresh share:renewed emit:renewed wake")],
  ["a renewal is answered that counts no more", { is: "renewed", flight: 0, held: held(2) }, NOW, ...PHASES],
  ["the renewal is denied", { is: "denied", flight: 1, reason: "kicked" }, NOW, ...Array<string>(7).fill("ended share:ended emit:ended")],
  ["the renewal is denied for another device", { is: "denied", flight: 1, reason: "displaced" }, NOW, ...Array<string>(7).fill("displaced share:ended emit:displaced")],
  ["the authority knows no session", { is: "denied", flight: 1 }, NOW, "signed-out", "signed-out", ...Array<string>(3).fill("ended share:ended emit:ended"), "signed-out", "signed-out"],
  ["a denial comes that counts no more", { is: "denied", flight: 0, reason: "kicked" }, NOW, ...PHASES],
  ["the authority does not answer", { is: "failed", flight: 1, retryMs: 5 }, NOW, ...PHASES.map((phase) => `${phase} wake emit:offline`)],
  ["the client is refused", { is: "misconfigured", flight: 1, why: "x" }, NOW, "signed-out", "signed-out", "stale", "stale", "stale", "signed-out", "signed-out"],
  ["the authority ends the session", { is: "told-ended", end: OVER }, NOW, "ended share:ended emit:ended", "signed-out", ...Array<string>(3).fill("ended share:ended emit:ended"), "displaced", "ended"],
  ["another tab heard of the end", { is: "told-ended", end: OVER, elsewhere: true }, NOW, "ended emit:ended", "signed-out", ...Array<string>(3).fill("ended emit:ended"), "displaced", "ended"],
  ["the page signs out", { is: "signed-out" }, NOW, ...Array<string>(7).fill("signed-out revoke share:signed-out")],
  ["another tab signs out", { is: "signed-out", elsewhere: true }, NOW, ...Array<string>(7).fill("signed-out")],
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
  assert.deepEqual(late, [second, []]);
});

test("a token is sent beside its renewal while it lives, and not when it was refused", () => {
  const [renewing] = next(states.fresh, { is: "asked" }, DUE);
  assert.equal(ready(renewing, DUE), undefined);
  assert.equal(usable(renewing, SPENT - 1)?.tokens.access_token, "at-1");
  assert.equal(usable(renewing, SPENT), undefined);
  const [refused] = next(renewing, { is: "refused", token: "at-1" }, DUE);
  assert.equal(usable(refused, DUE), undefined);
});

test("failures are counted until a success, and listeners hear of the first", () => {
  let [state, effects] = next(states.renewing, { is: "failed", flight: 1, retryMs: 5 }, NOW);
  assert.deepEqual(effects, [
    ["wake", 5],
    ["emit", "offline"],
  ]);
  [state, effects] = next(state, { is: "failed", flight: 1, retryMs: 5 }, NOW);
  assert.deepEqual([state.failures, effects], [2, [["wake", 5]]]);
  [state] = next(state, { is: "renewed", flight: 1, held: held(2) }, NOW);
  assert.equal(state.failures, 0);
});

test("a page that wakes tries again at once where it waits for the next try, and only there", () => {
  for (const phase of ["restoring", "renewing"] as const) {
    assert.deepEqual(next(states[phase], { is: "woke" }, NOW)[1], []);
    assert.deepEqual(next({ ...states[phase], failures: 3 }, { is: "woke" }, NOW)[1], [["renew"]]);
  }
});

test("a token for another resource replaces the refresh token that it was asked with, and no other", () => {
  const [rotated] = next(states.fresh, { is: "rotated", from: "rt-1", to: "rt-2" }, NOW);
  assert.deepEqual(
    [rotated.held?.tokens.refresh_token, rotated.held?.count, rotated.phase],
    ["rt-2", 2, "fresh"],
  );
  assert.deepEqual(next(states.fresh, { is: "rotated", from: "rt-0", to: "rt-9" }, NOW), [
    states.fresh,
    [],
  ]);
});

test("a session that is about to end says so when it is renewed", () => {
  const ending = (seconds: number): Held => ({
    ...held(2),
    tokens: { ...held(2).tokens, refresh_expires_in: seconds },
  });
  const emitted = (seconds: number) =>
    says(next(states.renewing, { is: "renewed", flight: 1, held: ending(seconds) }, NOW));
  assert.equal(emitted(120), "fresh share:renewed emit:renewed emit:ending-soon wake");
  assert.equal(emitted(121), "fresh share:renewed emit:renewed wake");
});

test("a page that asked the other tabs in vain takes a late answer", () => {
  const [alone] = next(states.restoring, { is: "denied", flight: 1 }, NOW);
  assert.equal(alone.phase, "signed-out");
  assert.equal(next(alone, { is: "adopted", held: held(3) }, NOW)[0].phase, "fresh");
});
