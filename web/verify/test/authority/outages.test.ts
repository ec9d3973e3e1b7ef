import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { after, before, test } from "node:test";
import { bounded, createVerifier, offline, strict } from "../../src/index.js";
import { asked, startAuthority, until, verdict, type Authority } from "./authority.js";

let authority: Authority;

before(async () => {
  authority = await startAuthority();
});

after(() => authority.stop());

test("keys turn while the feed is heard, and a withdrawn key's tokens must be renewed", async () => {
  const verifier = await authority.verifier();
  const old = await authority.signIn("turning");
  assert.equal(verdict(verifier, old.access_token), "in");
  const kidOf = (token: string) =>
    (JSON.parse(Buffer.from(token.split(".")[0]!, "base64url").toString()) as { kid: string }).kid;
  await authority.api("POST", "/v1/keys/rotate", { now: true });
  const fresh = await authority.signIn("turned");
  assert.notEqual(kidOf(fresh.access_token), kidOf(old.access_token));
  const isIn = async (token: string) => (await asked(verifier, token)) === "in";
  await until(() => isIn(fresh.access_token), "the new key is known");
  assert.equal(verdict(verifier, old.access_token), "in", "the old key is still published");
  await authority.api("DELETE", `/v1/keys/${kidOf(old.access_token)}?reason=key_compromised`);
  // Unverifiable for a moment, if the keys come before the event.
  await until(() => verdict(verifier, old.access_token) === "stale", "it is refused");
  assert.equal(verdict(verifier, fresh.access_token), "in");
  await until(() => verifier.status().mode === "stream", "the feed is heard");
  verifier.close();
});

test("an authority that was restarted is heard again, from where it was", async () => {
  const verifier = await authority.verifier();
  const [one, two] = [await authority.signIn("before"), await authority.signIn("after")];
  await authority.api("DELETE", `/v1/sessions/${one.session_id}?reason=kicked`);
  await until(() => verdict(verifier, one.access_token) === "revoked kicked", "it is refused");
  await authority.restart();
  assert.equal(verdict(verifier, one.access_token), "revoked kicked", "what is known stays known");
  await until(() => verifier.status().mode === "stream", "it is heard again");
  await authority.api("DELETE", `/v1/sessions/${two.session_id}?reason=kicked`);
  await until(() => verdict(verifier, two.access_token) === "revoked kicked", "it is refused");
  verifier.close();
});

test("while the authority is away longer than the bound, each policy does what it says", async () => {
  const verifier = await authority.verifier({ maxStalenessMs: 1000 });
  const [good, ended] = [await authority.signIn("good"), await authority.signIn("ended")];
  await authority.api("DELETE", `/v1/sessions/${ended.session_id}?reason=kicked`);
  await until(() => verdict(verifier, ended.access_token) === "revoked kicked", "it is refused");
  const policies = { strict: strict(60_000), bounded: bounded(60_000), offline: offline() };
  for (const policy of Object.values(policies))
    await until(() => verdict(verifier, good.access_token, policy) === "in", "it is let in");
  authority.freeze();
  try {
    await until(() => verifier.status().ageMs! > 1000, "what is known is too old");
    assert.equal(verdict(verifier, good.access_token, policies.strict), "unverifiable");
    assert.equal(verdict(verifier, good.access_token, policies.bounded), "ask");
    await assert.rejects(verifier.admit(good.access_token, policies.bounded), /could not be asked/);
    assert.equal(await asked(verifier, good.access_token, policies.offline), "in");
    for (const policy of Object.values(policies))
      assert.equal(verdict(verifier, ended.access_token, policy), "revoked kicked");
  } finally {
    authority.thaw();
  }
  for (const policy of Object.values(policies))
    await until(() => verdict(verifier, good.access_token, policy) === "in", "it is let in again");
  verifier.close();
});

test("a service that starts before its authority lets nobody in until it knows, and then does", async () => {
  const { access_token } = await authority.signIn("early");
  authority.freeze();
  const verifier = createVerifier({
    issuer: authority.url,
    audience: "demo-api",
    feed: { apiKey: authority.apiKey },
  });
  assert.equal(verdict(verifier, access_token, offline()), "unverifiable");
  assert.equal(verifier.isReady(), false);
  authority.thaw();
  await verifier.ready();
  assert.equal(verdict(verifier, access_token), "in");
  verifier.close();
});

/** A relay that may change what comes of the stream. */
async function relay(change: (text: string) => string): Promise<{ url: string; server: Server }> {
  const server = createServer((asked, answer) => {
    const { method, headers, url } = asked;
    const onward = request(authority.url + url, { method, headers }, (came) => {
      answer.writeHead(came.statusCode!, came.headers);
      const isStream = url!.startsWith("/v1/feed?");
      // The authority writes whole frames.
      came.on("data", (bytes: Buffer) => answer.write(isStream ? change(bytes.toString()) : bytes));
      came.on("end", () => answer.end());
      came.on("error", () => answer.destroy());
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, server };
}

test("a frame that is lost on the way is noticed, and what it said is known by a snapshot", async () => {
  let lost = 0;
  const { url, server } = await relay((text) =>
    text.replace(/event: revocation\n(?:.+\n)+\n/, (frame) => (lost++ ? frame : "")),
  );
  const verifier = await authority.verifier({ through: url });
  const { session_id, access_token } = await authority.signIn("lost");
  const watched = verifier.check(access_token, offline()).ended();
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  await until(() => verdict(verifier, access_token) === "revoked kicked", "it is refused");
  assert.equal(await watched, "kicked");
  assert.ok(lost > 0, "a frame was lost");
  assert.equal(verifier.status().resyncs, 1);
  await until(() => verifier.status().mode === "stream", "the stream is heard again");
  verifier.close();
  server.closeAllConnections();
  server.close();
});

test("a stream that is held back is replaced by polls", async () => {
  let holds = false;
  const { url, server } = await relay((text) => (holds ? ":\n\n" : text));
  const verifier = await authority.verifier({ through: url, maxStalenessMs: 60_000 });
  const { session_id, access_token } = await authority.signIn("held");
  assert.equal(verdict(verifier, access_token), "in");
  holds = true;
  await authority.api("DELETE", `/v1/sessions/${session_id}?reason=kicked`);
  await until(() => verdict(verifier, access_token) === "revoked kicked", "it is refused");
  assert.equal(verifier.status().mode, "poll");
  verifier.close();
  server.closeAllConnections();
  server.close();
});

test("a checkpoint that somebody else signed is not believed", async () => {
  let forges = false;
  const { url, server } = await relay((text) =>
    forges ? text.replace(/[A-Za-z0-9_-]{8}("\}\n\n)$/, "AAAAAAAA$1") : text,
  );
  const verifier = await authority.verifier({ through: url });
  forges = true;
  await until(() => verifier.status().resyncs > 0, "it is noticed");
  forges = false;
  const { access_token } = await authority.signIn("forged");
  await until(() => verdict(verifier, access_token) === "in", "it is let in");
  verifier.close();
  server.closeAllConnections();
  server.close();
});
