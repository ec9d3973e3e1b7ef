import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bounded, offline, strict, type Verifier } from "../../src/index.js";
import { asked, startAuthority, until, verdict, type Authority } from "./authority.js";

let authority: Authority;
let verifier: Verifier;

before(async () => {
  authority = await startAuthority();
  verifier = await authority.verifier();
});

after(async () => {
  verifier.close();
  await authority.stop();
});

const POLICIES = [strict(60_000), bounded(60_000), offline()];

test("a kicked session is refused within a tenth of a second, under every policy and with its reason", async () => {
  const took: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const { access_token, session_id } = await authority.signIn(`kicked-${round}`);
    for (const policy of POLICIES) assert.equal(verdict(verifier, access_token, policy), "in");
    await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
    took.push(await until(() => verdict(verifier, access_token) !== "in", "it is refused"));
    for (const policy of POLICIES)
      assert.equal(verdict(verifier, access_token, policy), "revoked kicked");
    assert.equal(await asked(verifier, access_token), "revoked kicked");
  }
  const median = took.toSorted((a, b) => a - b)[took.length / 2]!;
  console.log(
    `# kick to refusal: median ${median.toFixed(1)} ms, worst ${Math.max(...took).toFixed(1)} ms`,
  );
  assert.ok(median < 100, `median ${median} ms`);
});

test("a banned subject is refused in all its sessions, and may come back when the ban is lifted", async () => {
  const [one, two] = [await authority.signIn("banned"), await authority.signIn("banned")];
  const other = await authority.signIn("not-banned");
  await authority.api("PUT", "/v1/subjects/banned/ban", { reason: "banned" });
  for (const { access_token } of [one, two])
    await until(() => verdict(verifier, access_token) === "revoked banned", "it is refused");
  assert.equal(verdict(verifier, other.access_token), "in");
  await authority.api("DELETE", "/v1/subjects/banned/ban");
  const again = await authority.signIn("banned");
  assert.equal(verdict(verifier, again.access_token), "in");
  assert.equal(verdict(verifier, one.access_token), "revoked banned");
});

test("a changed role makes tokens stale, and the renewed one is let in with the new role", async () => {
  const { access_token, refresh_token } = await authority.signIn("promoted", { roles: ["buyer"] });
  assert.equal(verdict(verifier, access_token), "in");
  await authority.api("PUT", "/v1/subjects/promoted", { roles: ["manager"], claims: {} });
  await until(() => verdict(verifier, access_token) === "stale", "it is stale");
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token,
    client_id: "web",
  });
  const answer = await fetch(`${authority.url}/oauth2/token`, { method: "POST", body: form });
  const renewed = (await answer.json()) as { access_token: string };
  const { claims } = verifier.check(renewed.access_token, strict(60_000, { role: "manager" }));
  assert.deepEqual(claims.roles, ["manager"]);
});

test("a single token, a client and everything can be revoked", async () => {
  const revoke = (target: object, effect: string) =>
    authority.api("POST", "/v1/revocations", { target, effect, reason: "admin" });
  const [one, two] = [await authority.signIn("revoked-1"), await authority.signIn("revoked-2")];
  const { claims } = verifier.check(one.access_token, offline());
  await revoke({ jti: claims.jti }, "revoked");
  await until(() => verdict(verifier, one.access_token) === "revoked admin", "it is refused");
  assert.equal(verdict(verifier, two.access_token), "in");
  await revoke({ client_id: "web" }, "stale");
  await until(() => verdict(verifier, two.access_token) === "stale", "it is stale");
  assert.equal(verdict(verifier, one.access_token), "revoked admin", "revoked wins");
  await revoke({ everything: true }, "revoked");
  await until(() => verdict(verifier, two.access_token) === "revoked admin", "it is refused");
  const three = await authority.signIn("revoked-3");
  assert.equal(verdict(verifier, three.access_token), "in", "what is newer than the bound");
});

test("whoever waits for an open session is told its end, and a renewal is none", async () => {
  const signedIn = await authority.signIn("waiting");
  const verified = verifier.check(signedIn.access_token, offline());
  const leave = new AbortController();
  const [ended, left] = [verified.ended(), verified.ended(leave.signal)];
  assert.equal(verifier.status().watched, 2);
  const { refresh_token } = signedIn;
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token,
    client_id: "web",
  });
  assert.equal(
    (await fetch(`${authority.url}/oauth2/token`, { method: "POST", body: form })).status,
    200,
  );
  leave.abort();
  assert.equal(await left, undefined);
  await authority.api("DELETE", `/v1/sessions/${signedIn.session_id}?reason=password_changed`);
  assert.equal(await ended, "password_changed");
  assert.equal(verifier.status().watched, 0);
  assert.equal(await verified.ended(), "password_changed", "also of who asks too late");
});

test("whoever revokes and waits is told that this verifier has applied it", async () => {
  const own = await authority.verifier({
    feed: { apiKey: authority.apiKey, instance: "told", offlineRoutes: 3 },
  });
  const names = async () => JSON.stringify(await authority.api("GET", "/v1/verifiers"));
  await until(async () => (await names()).includes('"told"'), "it has reported");
  const { session_id, access_token } = await authority.signIn("waited-for");
  const { verifiers } = await authority.api("DELETE", `/v1/sessions/${session_id}?wait=5s`);
  const { live, applied, lagging } = verifiers as {
    live: number;
    applied: number;
    lagging: object[];
  };
  assert.deepEqual([live, lagging], [applied, []]);
  assert.equal(verdict(own, access_token).split(" ")[0], "revoked");
  own.close();
});

test("polls do what the stream does", async () => {
  const own = await authority.verifier({ feed: { apiKey: authority.apiKey, pollOnly: true } });
  const { session_id, access_token } = await authority.signIn("polled");
  assert.equal(verdict(own, access_token), "in");
  await until(() => own.status().mode === "poll", "it polls");
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  await until(() => verdict(own, access_token) === "revoked kicked", "it is refused");
  own.close();
});

test("a verifier that comes late knows what was revoked before, and none is let in until it does", async () => {
  const { session_id, access_token } = await authority.signIn("before");
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  const own = await authority.verifier();
  assert.equal(verdict(own, access_token), "revoked kicked");
  assert.ok(own.isReady() && own.status().ageMs! < 5000);
  own.close();
  assert.equal(own.status().mode, "off");
});

test("an API key that may not follow is told at the start", async () => {
  await assert.rejects(
    authority.verifier({ feed: { apiKey: "sym_ak_paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU" } }),
    /answered 401/,
  );
});
