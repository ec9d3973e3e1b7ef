/** What each policy makes of what the mirror knows, and of how old it is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Cache } from "../../src/cache.js";
import { look, type Expected } from "../../src/check.js";
import { Proofs } from "../../src/dpop.js";
import type { Entry } from "../../src/entry.js";
import { Keyring } from "../../src/keyring.js";
import { Mirror } from "../../src/mirror.js";
import { bounded, offline, strict, type Policy } from "../../src/policy.js";
import { bearer } from "../../src/presented.js";
import { digestOf, targetKeyOf } from "../../src/target.js";
import {
  AT,
  AUDIENCE,
  DIGEST_KEY,
  entry,
  ISSUER,
  keySetOf,
  newKey,
  now,
  token,
} from "../issuer.js";

const key = newKey();
const targets = targetKeyOf(DIGEST_KEY);

function expected(mirror: Mirror, other: Partial<Expected> = {}): Expected {
  const keyring = new Keyring();
  keyring.replace(keySetOf(key));
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: ["EdDSA"],
    typ: "at+jwt",
    keyring,
    cache: new Cache(10),
    mirror,
    proofs: new Proofs(undefined, () => undefined),
    open: undefined,
    requireEncrypted: false,
    asks: true,
    maxStalenessMs: 5000,
    reported() {},
    hit() {},
    ...other,
  };
}

/** A mirror that was whole at the beginning of all tests. */
function mirrorOf(entries: readonly Entry[] = []): Mirror {
  const mirror = new Mirror(true);
  mirror.useTargetKey(targets);
  mirror.apply(entries);
  mirror.vouch(AT * 1000);
  mirror.setClock(AT * 1000, now());
  mirror.ready();
  return mirror;
}

/** What is said of a token so many milliseconds later. */
function said(of: Expected, policy: Policy, ms = 0, shown = token(key)): string {
  const { standing } = look(of, bearer(shown), policy, now(ms));
  return standing ? standing.refusal.is + (standing.ended ? ` ${standing.ended}` : "") : "in";
}

test("each policy says what it makes of knowledge that is too old, and no bound is larger than the verifier's", () => {
  const of = expected(mirrorOf());
  for (const [policy, ms, word] of [
    [strict(1000), 1000, "in"],
    [strict(1000), 1001, "unverifiable"],
    [bounded(1000), 1000, "in"],
    [bounded(1000), 1001, "ask"],
    [offline(), 200_000, "in"],
    [strict(60_000), 5000, "in"],
    [strict(60_000), 5001, "unverifiable"],
    [bounded(60_000), 5001, "ask"],
  ] as const)
    assert.equal(said(of, policy, ms), word, `${policy.staleness.is} at ${ms}`);
});

test("a mirror that nobody follows is not one that is late", () => {
  const of = expected(new Mirror(false));
  assert.equal(said(of, strict(1000)), "ask");
  const followed = expected(new Mirror(true));
  assert.equal(said(followed, strict(1000)), "unverifiable", "and one that is not whole yet is");
});

const session = entry({ name: digestOf(targets, "session", "EREREREREREREREREREREQ") });
const roles = entry({
  kind: "subject",
  name: digestOf(targets, "subject", "42"),
  below: [2, 6],
  effect: "stale",
  reason: "permissions_changed",
});

test("what is known against a token is said under every policy and however old it is, to those seen before too", () => {
  const mirror = mirrorOf();
  const of = expected(mirror);
  const policies = [strict(1000), bounded(1000), offline()];
  for (const policy of policies) assert.equal(said(of, policy), "in");
  mirror.apply([roles]);
  for (const policy of policies)
    for (const ms of [0, 100_000]) assert.equal(said(of, policy, ms), "stale");
  mirror.apply([session]);
  for (const policy of policies)
    for (const ms of [0, 100_000]) assert.equal(said(of, policy, ms), "revoked kicked");
  const renewed = token(key, { ver: [2, 6, 6, 7], sid: "IiIiIiIiIiIiIiIiIiIiIg" });
  for (const policy of policies) assert.equal(said(of, policy, 0, renewed), "in");
});

test("a stale token that its client cannot replace is asked about, if there is anybody to ask", () => {
  const lasting = token(key, { aud: [AUDIENCE, ISSUER] });
  assert.equal(said(expected(mirrorOf([roles])), offline(), 0, lasting), "ask");
  assert.equal(said(expected(mirrorOf([roles]), { asks: false }), offline(), 0, lasting), "stale");
  assert.equal(said(expected(mirrorOf([roles])), offline()), "stale");
});

test("a wall clock that was set back revives nothing that the mirror has forgotten", () => {
  const mirror = mirrorOf([session]);
  const of = expected(mirror);
  mirror.forget((AT + 362) * 1000);
  assert.equal(said(of, offline()), "expired");
  mirror.forget((AT + 300) * 1000);
  assert.equal(said(expected(mirrorOf()), offline()), "in");
});

test("a withdrawn key's tokens must be renewed, before and after the key is gone from here", () => {
  const kid = Buffer.from(key.kid, "base64url").toString("latin1") + "\0\0\0\0";
  const of = expected(mirrorOf([entry({ kind: "key", name: kid, effect: "stale" })]));
  assert.equal(said(of, offline()), "stale");
  of.keyring.replace(keySetOf(newKey()));
  assert.throws(() => said(of, offline()), /must be renewed/);
});

test("a token that was verified before the digest key changed is looked for under the new one", () => {
  const mirror = mirrorOf();
  const of = expected(mirror);
  assert.equal(said(of, offline()), "in");
  const newer = targetKeyOf("A".repeat(43));
  mirror.useTargetKey(newer);
  assert.equal(said(of, offline()), "in");
  mirror.apply([{ ...session, name: digestOf(newer, "session", "EREREREREREREREREREREQ") }]);
  assert.equal(said(of, offline()), "revoked kicked");
});

test("a token that asks for newer knowledge than its route gets what it asks for", () => {
  const of = expected(mirrorOf());
  const shown = token(key, { staleness: 2 });
  for (const [policy, ms, word] of [
    [offline(), 2000, "in"],
    [offline(), 2001, "ask"],
    [strict(5000), 2001, "unverifiable"],
    [bounded(5000), 2001, "ask"],
    [bounded(1000), 1001, "ask"],
  ] as const)
    assert.equal(said(of, policy, ms, shown), word, `${policy.staleness.is} at ${ms}`);
});

test("a thin token lets nobody in before it is known what it leaves out, and what is known against it is said", () => {
  const thin = token(key, { rights: "AAAAAAAAAAAAAAAAAAAAAA", roles: undefined });
  const mirror = mirrorOf();
  const of = expected(mirror);
  for (const policy of [strict(5000), bounded(5000), offline()])
    assert.equal(said(of, policy, 0, thin), "ask");
  assert.equal(said(of, strict(5000), 5001, thin), "unverifiable");
  mirror.apply([session]);
  assert.equal(said(of, offline(), 0, thin), "revoked kicked");
});
