import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../src/outcome.js";
import type { Entry } from "../../src/wire.js";
import { en } from "../../src/words-en.js";
import { zh } from "../../src/words-zh.js";

/** The names of all that is said, however deep. */
function names(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) => names(inner, `${path}.${name}`));
}

test("both languages say the same things", () => {
  assert.deepEqual(names(zh), names(en));
});

test("nothing is left unsaid", () => {
  for (const [path, text] of [en, zh].flatMap((words) => leaves(words)))
    if (typeof text === "string") assert.ok(text.length, path);
});

function leaves(value: unknown, path = ""): [string, unknown][] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, `${path}.${name}`));
}

test("what an act came to is told in both languages", () => {
  const outcomes: Outcome[] = [
    { act: "race", is: "running" },
    { act: "replay", is: "waiting", ms: 1200 },
    { act: "race", is: "done", asked: 50, answered: 50, successors: 1, signedIn: true, ms: 9 },
    { act: "race", is: "done", asked: 50, answered: 1, successors: 1, signedIn: false, ms: 9 },
    { act: "replay", is: "done", reason: "replayed", refusedMs: 4 },
    { act: "kick", is: "done", refusedMs: 4, applied: 2, live: 2, appliedMs: 3 },
    { act: "role", is: "done", role: "manager", refusedMs: 4, renewedMs: 80 },
    { act: "displace", is: "done", refusedMs: 4, ended: 1 },
    { act: "kick", is: "failed", why: "no" },
  ];
  const told = outcomes.flatMap((outcome) => [en.outcome(outcome), zh.outcome(outcome)]);
  assert.equal(new Set(told).size, told.length);
});

test("every line of the log is told in both languages", () => {
  const entry = { at: 0, who: "A", status: 401, about: "kicked" } as const;
  const marks = ["request", "refused", "renewal", "taken", "lost", "unsent", "ended"] as const;
  for (const mark of [...marks, "signed-in", "act"] as Entry["mark"][])
    for (const words of [en, zh]) assert.ok(words.entry({ ...entry, mark }).length, mark);
});
