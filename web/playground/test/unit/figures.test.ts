import assert from "node:assert/strict";
import { test } from "node:test";
import { lifeOf, median, millis, since, spaced, span } from "../../src/figures.js";

test("a time has as many places as mean something", () => {
  assert.deepEqual([0.04, 4.25, 9.94, 10.4, 1234].map(millis), [
    "0.0 ms",
    "4.3 ms",
    "9.9 ms",
    "10 ms",
    "1234 ms",
  ]);
});

test("a length is in the largest unit that it fills", () => {
  assert.deepEqual([0, 100, 30_000, 90_000, 300_000, 3_600_000, 86_400_000].map(span), [
    "0 ms",
    "100 ms",
    "30 s",
    "90 s",
    "5 min",
    "1 h",
    "1 d",
  ]);
  assert.equal(spaced("5min"), "5 min");
});

test("an instant is told since the beginning", () => {
  assert.deepEqual([-5, 0, 999, 61_400, 600_000].map(since), [
    "0:00.0",
    "0:00.0",
    "0:00.9",
    "1:01.4",
    "10:00.0",
  ]);
});

test("the median is the middle one", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 2, 4, 90]), 7);
  assert.equal(median([]), Number.NaN);
});

test("a token tells its life, and one that is none tells nothing", () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  assert.deepEqual(
    lifeOf(`${part({})}.${part({ iat: 1, exp: 31, sub: ">>>???" })}.x`),
    [1000, 31_000],
  );
  for (const text of ["", "sym_at_x", "a.b.c", `${part({})}.${part({ iat: 1 })}.x`])
    assert.equal(lifeOf(text), undefined);
});
