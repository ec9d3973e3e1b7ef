import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Activity, Teller, WAITING_MAX } from "../../src/activity.js";
import { httpOf, type FetchError } from "../../src/http.js";
import { createVerifier, offline } from "../../src/index.js";
import { AT, AUDIENCE, ISSUER, jwksOf, newKey, now, token } from "../issuer.js";

const MINUTE = 60_000;

// A wait between tries keeps no process alive, and these tests have nothing else.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

/** What is told, and what is answered. */
function telling(activity: Activity, statuses: readonly number[] = []) {
  const told: string[][] = [];
  const troubles: FetchError[] = [];
  const answers = [...statuses];
  const send = async (_: unknown, init?: RequestInit) => {
    const { uses } = JSON.parse(String(init?.body)) as {
      uses: { session_id: string; at: number }[];
    };
    told.push(uses.map(({ session_id, at }) => `${session_id}@${at}`));
    return new Response("{}", { status: answers.shift() ?? 200 });
  };
  const http = httpOf(send as typeof fetch);
  const url = `${ISSUER}/v1/activity`;
  const failed = (why: FetchError) => void troubles.push(why);
  return { told, troubles, teller: new Teller(activity, { http, apiKey: "k", url, failed }) };
}

test("a session is told once a minute at most, with its last use", async () => {
  const activity = new Activity();
  const { told, teller } = telling(activity);
  for (const ms of [0, 100, 59_999, 60_000, 61_900])
    activity.mark("s", AT * 1000 + ms - ((AT * 1000) % MINUTE));
  activity.mark("t", AT * 1000);
  await teller.tell();
  const begun = AT - (AT % 60);
  assert.deepEqual(told, [[`s@${begun + 60}`, `t@${AT}`]]);
  await teller.tell();
  assert.equal(told.length, 1, "nothing waits any more");
});

test("what could not be told is told the next time, and what is refused is not", async () => {
  const activity = new Activity();
  const { told, troubles, teller } = telling(activity, [503, 200, 403]);
  activity.mark("s", AT * 1000);
  await teller.tell();
  assert.deepEqual(told, [[`s@${AT}`], [`s@${AT}`]]);
  activity.mark("s", AT * 1000 + MINUTE);
  await teller.tell();
  assert.deepEqual([activity.size, activity.dropped], [0, 1]);
  assert.deepEqual(
    troubles.map(({ status }) => status),
    [503, 403],
  );
  teller.close();
});

test("no more wait than may, and those of longest ago leave first", async () => {
  const activity = new Activity();
  for (let at = 0; at < WAITING_MAX + 10; at += 1) activity.mark(`s${at}`, AT * 1000 + at);
  assert.deepEqual([activity.size, activity.dropped], [WAITING_MAX, 10]);
  const { told, teller } = telling(activity);
  await teller.tell();
  assert.equal(told.length, Math.ceil(WAITING_MAX / 1000));
  assert.ok(told.every(({ length }) => length <= 1000));
  assert.match(told[0]![0]!, /^s10@/);
});

test("only requests that were let in count", async () => {
  const key = newKey();
  const own = createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    introspection: { apiKey: "k" },
    reportActivity: true,
    fetch: (async () => new Response(null, { status: 503 })) as typeof fetch,
    now: () => now(),
  });
  own.replaceKeys(jwksOf(key));
  assert.throws(() => own.check(token(key), offline({ scope: "admin" })));
  assert.throws(() => own.check(token(key, { exp: AT }), offline()));
  assert.equal(own.status().usesWaiting, 0);
  own.check(token(key), offline());
  own.check(token(key, { sid: undefined, sub: "client:x" }), offline());
  assert.equal(own.status().usesWaiting, 1, "a client's own token has no session");
  own.close();
  assert.throws(() => createVerifier({ issuer: ISSUER, audience: AUDIENCE, reportActivity: true }));
});
