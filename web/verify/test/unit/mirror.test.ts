import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ver } from "../../src/claims.js";
import { isBelow, type Below, type Entry, type Kind } from "../../src/entry.js";
import { Mirror, type Judgement, type Names } from "../../src/mirror.js";
import { digestOf, targetKeyOf } from "../../src/target.js";
import { anyEntry, AT, chance, DIGEST_KEY, entry, now } from "../issuer.js";

/** What must hold, by looking at everything that was ever said of a target, for as long as anything of that holds. */
class Model {
  private said: Entry[][] = [];

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { kind, name, effect } = entry;
      const isSame = ([one]: Entry[]) =>
        one?.kind === kind && one.name === name && one.effect === effect;
      const same = this.said.find(isSame);
      if (same) same.push(entry);
      else this.said.push([entry]);
    }
  }

  forget(ms: number): void {
    this.said = this.said.filter((same) => same.some(({ expires_at }) => expires_at * 1000 >= ms));
  }

  /** Which effect holds of a token; the reasons that it may have. */
  judge(names: Names, ver: Ver): { effect: string; reasons: Set<string> } | undefined {
    for (const effect of ["revoked", "stale"] as const) {
      const hits = this.said
        .flat()
        .filter(
          (one) =>
            one.effect === effect &&
            names.some(([kind, name]) => kind === one.kind && name === one.name) &&
            (!one.below || isBelow(counterOf(one.kind, ver), one.below)),
        );
      if (hits.length) return { effect, reasons: new Set(hits.map(({ reason }) => reason)) };
    }
    return undefined;
  }
}

function counterOf(kind: Kind, [store, subject, client, everything]: Ver): Below {
  return [store, kind === "subject" ? subject : kind === "client" ? client : everything];
}

const NAMES: readonly Names[] = ["a", "b", "c"].map((letter) => [
  ["key", letter.repeat(12) + "\0\0\0\0"],
  ["session", letter.repeat(16)],
  ["token", letter.repeat(16)],
  ["subject", letter.repeat(16)],
  ["client", letter.repeat(16)],
  ["everything", "\0".repeat(16)],
]);

function agree(model: Model, mirror: Mirror, ver: Ver, run: string): void {
  for (const names of NAMES) {
    for (const some of [names, ...names.map((one) => [one])]) {
      const [right, judged] = [model.judge(some, ver), mirror.judge(some, ver)];
      assert.equal(judged?.effect, right?.effect, run);
      if (judged) assert.ok(right!.reasons.has(judged.reason), run);
    }
  }
}

test("whatever is told in any order, the mirror knows what a list of everything said would know", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = chance(seed * 7919);
    const [model, mirror] = [new Model(), new Mirror(true)];
    let at = AT * 1000;
    for (let step = 0; step < 60; step += 1) {
      if (random(5) === 0) {
        at += random(3000);
        model.forget(at);
        mirror.forget(at);
      } else {
        const batch = Array.from({ length: random(4) }, () => anyEntry(random));
        const alive = batch.filter(({ expires_at }) => expires_at * 1000 >= at);
        model.apply(alive);
        mirror.apply(batch);
      }
      const ver: Ver = [1 + random(3), random(6), random(6), random(6)];
      agree(model, mirror, ver, `seed ${seed}, step ${step}`);
    }
  }
});

test("what is told again changes nothing", () => {
  const random = chance(5);
  const entries = Array.from({ length: 200 }, () => anyEntry(random));
  const [once, twice] = [new Mirror(true), new Mirror(true)];
  once.apply(entries);
  twice.apply(entries);
  twice.apply(entries.toReversed());
  assert.equal(once.size, twice.size);
  for (const names of NAMES)
    for (let counter = 0; counter < 7; counter += 1) {
      const ver: Ver = [2, counter, counter, counter];
      assert.equal(once.judge(names, ver)?.effect, twice.judge(names, ver)?.effect);
    }
});

test("a higher bound brings its reason, and neither effect takes the other's place", () => {
  const mirror = new Mirror(true);
  const bound = (other: Partial<Entry>) => entry({ kind: "subject", below: [2, 7], ...other });
  mirror.apply([bound({ reason: "banned" })]);
  mirror.apply([bound({ reason: "admin", below: [2, 5] })]);
  mirror.apply([bound({ effect: "stale", reason: "permissions_changed", below: [2, 9] })]);
  const judge = (counter: number): Judgement | undefined =>
    mirror.judge([["subject", "s".repeat(16)]], [2, counter, 0, 0]);
  assert.deepEqual(judge(4), { effect: "revoked", reason: "banned" });
  assert.deepEqual(judge(8), { effect: "stale", reason: "permissions_changed" });
  assert.equal(judge(9), undefined);
  assert.deepEqual(mirror.judge([["subject", "s".repeat(16)]], [1, 99, 0, 0])?.reason, "banned");
});

test("memory follows what is in force", () => {
  const mirror = new Mirror(true);
  for (let round = 0; round < 40; round += 1) {
    const names = Array.from({ length: 1000 }, (_, at) => `${round}-${at}`.padEnd(16, "."));
    mirror.apply(names.map((name) => entry({ name, expires_at: AT + round })));
    mirror.forget((AT + round - 2) * 1000);
  }
  for (let turn = 0; turn < 40; turn += 1) mirror.forget((AT + 37) * 1000);
  assert.equal(mirror.size, 3000, "what ends at 37, 38 and 39");
});

/** A mirror that is as fresh as can be. */
function freshMirror(entriesMax?: number): Mirror {
  const mirror = new Mirror(true, entriesMax);
  mirror.useTargetKey(targetKeyOf(DIGEST_KEY));
  mirror.vouch(AT * 1000);
  mirror.setClock(AT * 1000, now());
  mirror.ready();
  return mirror;
}

test("a mirror that could not hold something has no age until that has ended", () => {
  const mirror = freshMirror(2);
  const three = ["a", "b", "c"].map((letter) =>
    entry({ name: letter.repeat(16), expires_at: AT + 9 }),
  );
  mirror.apply(three.slice(0, 2));
  assert.equal(mirror.age(now()), 0);
  mirror.apply(three);
  assert.equal(mirror.age(now()), undefined);
  mirror.forget((AT + 9) * 1000);
  assert.equal(mirror.age(now()), undefined, "its end is included");
  mirror.forget((AT + 10) * 1000);
  assert.equal(mirror.age(now()), 0);
});

test("there is no age before a key, a checkpoint, a clock and a snapshot have come", () => {
  const steps: readonly ((mirror: Mirror) => void)[] = [
    (mirror) => mirror.useTargetKey(targetKeyOf(DIGEST_KEY)),
    (mirror) => mirror.vouch(AT * 1000),
    (mirror) => mirror.setClock(AT * 1000, now()),
    (mirror) => mirror.ready(),
  ];
  for (const missing of steps) {
    const mirror = new Mirror(true);
    for (const step of steps) if (step !== missing) step(mirror);
    assert.equal(mirror.age(now()), undefined);
    missing(mirror);
    assert.equal(mirror.age(now()), 0);
  }
});

test("time that only the wall clock saw makes the mirror older, and a wall clock set back nothing younger", () => {
  const mirror = freshMirror();
  assert.equal(mirror.age(now(1500)), 1500);
  assert.equal(mirror.age({ wall: AT * 1000 + 3_600_000, monotonic: 1500 }), 3_600_000);
  assert.equal(mirror.age({ wall: AT * 1000 - 3_600_000, monotonic: 1500 }), 1500);
});

test("after the digest key changed, what was revoked before is found under the old one until it has ended", () => {
  const mirror = freshMirror();
  const [old, newer] = [targetKeyOf(DIGEST_KEY), targetKeyOf("A".repeat(43))];
  const token = { jti: "j", sid: "s", sub: "u", client_id: "c", ver: [2, 1, 1, 1] } as const;
  mirror.apply([entry({ name: digestOf(old, "session", "s"), expires_at: AT + 9 })]);
  mirror.useTargetKey(newer);
  const judge = () => mirror.judge(mirror.namesOf(token, undefined), token.ver);
  assert.equal(judge()?.reason, "kicked");
  mirror.apply([
    entry({
      name: digestOf(newer, "subject", "u"),
      kind: "subject",
      below: [2, 2],
      reason: "banned",
    }),
  ]);
  mirror.forget((AT + 10) * 1000);
  assert.equal(judge()?.reason, "banned");
  assert.equal(mirror.namesOf(token, undefined).length, 5, "the old key is let go");
});

test("what has ended is forgotten at once by whoever looks, and by and by in memory", () => {
  const mirror = new Mirror(true);
  const names = Array.from({ length: 40_000 }, (_, at) => `${at}`.padEnd(16, "."));
  mirror.apply(names.map((name) => entry({ name, expires_at: AT })));
  mirror.forget((AT + 1) * 1000);
  assert.ok(mirror.size > 30_000, "not all of it in one turn");
  for (const name of names)
    assert.equal(mirror.judge([["session", name]], [0, 0, 0, 0]), undefined);
  mirror.apply([entry({ name: names.at(-1)!, reason: "admin", expires_at: AT + 9 })]);
  assert.equal(mirror.judge([["session", names.at(-1)!]], [0, 0, 0, 0])?.reason, "admin");
});

test("a third digest key, while what was kept under the first may still hit, leaves no age until that has ended", () => {
  const mirror = freshMirror();
  mirror.apply([entry({ expires_at: AT + 9 })]);
  mirror.useTargetKey(targetKeyOf("A".repeat(43)));
  assert.equal(mirror.age(now()), 0);
  mirror.useTargetKey(targetKeyOf(DIGEST_KEY));
  assert.equal(mirror.age(now()), 0, "the first came back");
  mirror.useTargetKey(targetKeyOf("B".repeat(42) + "A"));
  assert.equal(mirror.age(now()), undefined);
  mirror.forget((AT + 10) * 1000);
  assert.equal(mirror.age(now()), 0);
});
