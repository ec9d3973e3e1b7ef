import assert from "node:assert/strict";
import { test } from "node:test";
import { verdictOf } from "../../src/challenge.js";
import { stopwatch } from "../../src/clock.js";
import { frames } from "../../src/frames.js";
import { refusalOf, retryMsOf } from "../../src/refusal.js";
import { webStorage } from "../../src/storage.js";
import { heldOf, renewalOf } from "../../src/tokens.js";

const refused = (challenge?: string, status = 401) =>
  verdictOf(
    new Response(null, { status, headers: challenge ? { "www-authenticate": challenge } : {} }),
  );

test("only a refusal of the token itself is renewed", () => {
  for (const [challenge, verdict] of [
    ['Bearer error="invalid_token", reason="expired"', "renew"],
    ['Bearer error="invalid_token", reason="stale"', "renew"],
    ['Bearer error="invalid_token", reason="revoked", ended="kicked"', "renew"],
    ['DPoP error="invalid_token", reason="expired", algs="ES256"', "renew"],
    ['Bearer realm="symbolon", error="invalid_token"', "renew"],
    ['Basic realm="x", Bearer error="invalid_token"', "renew"],
    ['Bearer error="invalid_token", reason="untrusted"', "pass"],
    ['Bearer error="invalid_token", reason="malformed"', "pass"],
    ['Bearer error="invalid_token", reason="unverifiable"', "pass"],
    ['Bearer error="invalid_token", reason="binding"', "pass"],
    ['Bearer error="insufficient_scope", scope="a"', "pass"],
    ['Basic realm="error=\\"invalid_token\\""', "pass"],
    ["Bearer", "pass"],
    [undefined, "pass"],
  ] as const)
    assert.equal(refused(challenge), verdict, challenge ?? "no challenge");
  assert.equal(refused('Bearer error="invalid_token", reason="expired"', 403), "pass");
});

test("a challenge that asks for more says what", () => {
  assert.deepEqual(
    refused(
      'Bearer error="insufficient_user_authentication", max_age="300", acr_values="2 urn:x:3"',
    ),
    {
      maxAge: 300,
      acrValues: "2 urn:x:3",
    },
  );
  assert.deepEqual(refused('Bearer error="insufficient_user_authentication"'), {
    maxAge: undefined,
    acrValues: undefined,
  });
});

test("only invalid_grant says that a session is over", async () => {
  const refusal = async (status: number, body: object) => {
    const { isOver, why } = await refusalOf(Response.json(body, { status }));
    return isOver ? "over" : (why ?? "nothing");
  };
  assert.equal(await refusal(400, { error: "invalid_grant", reason: "kicked" }), "over");
  assert.equal(await refusal(400, { error: "invalid_grant" }), "over");
  assert.equal(
    await refusal(400, { error: "invalid_grant", reason: "client_disabled" }),
    "nothing",
  );
  assert.equal(
    await refusal(403, { error: "unauthorized_client", error_description: "no" }),
    "unauthorized_client: no",
  );
  assert.equal(await refusal(429, { error: "invalid_client" }), "nothing");
  assert.equal(await refusal(503, { error: "temporarily_unavailable" }), "nothing");
  assert.equal(await refusal(502, {}), "nothing");
  await assert.rejects(refusalOf(new Response("<html>", { status: 502 })));
});

test("how long the authority asks to be left alone is read as seconds, and a date as nothing", () => {
  const asked = (after: string) =>
    retryMsOf(new Response(null, { headers: { "retry-after": after } }));
  assert.deepEqual([asked("7"), asked("Fri, 31 Dec 1999 23:59:59 GMT")], [7000, 0]);
  assert.equal(retryMsOf(new Response()), 0);
});

test("a token is renewed a minute before its end, or a fifth of its life, and never all at once", () => {
  const early = (expires_in: number, chance: number) =>
    expires_in * 1000 -
    renewalOf(heldOf({ access_token: "a", expires_in, session_id: "s" }, 0, chance, 0));
  assert.deepEqual([early(3600, 1), early(3600, 0)], [60_000, 48_000]);
  assert.deepEqual([early(10, 1), early(10, 0)], [2000, 1600]);
});

test("time goes forward whatever the clocks do, and sleep counts", () => {
  let [mono, wall] = [0, 1e12];
  const clock = stopwatch(
    () => mono,
    () => wall,
  );
  const after = (byMono: number, byWall: number) => ((mono += byMono), (wall += byWall), clock());
  assert.equal(after(10, 10), 10);
  assert.equal(after(10, -7_200_000), 20);
  assert.equal(after(10, 10), 30);
  assert.equal(after(0, 7_200_000), 7_200_030);
  assert.equal(after(-5, -5), 7_200_030);
});

test("what localStorage keeps is one entry, and gone when it is cleared", () => {
  const area = new Map<string, string>();
  const storage = webStorage({
    getItem: (key) => area.get(key) ?? null,
    setItem: (key, value) => void area.set(key, value),
    removeItem: (key) => void area.delete(key),
  });
  assert.equal(storage.load!(), undefined);
  storage.save!({ refresh: "sym_rt_x", count: 7 });
  assert.deepEqual(storage.load!(), { refresh: "sym_rt_x", count: 7 });
  storage.clear!();
  assert.equal(area.size, 0);
});

test("frames are read however the network cuts them, and comments are not frames", async () => {
  const text =
    ': hello\n\nevent: ended\nid: 1\ndata: {"reason":"kicked"}\n\ndata: plain\n\nevent: cut';
  for (const size of [1, 2, 7, text.length]) {
    const bytes = new TextEncoder().encode(text);
    const body = new ReadableStream<Uint8Array>({
      start(to) {
        for (let at = 0; at < bytes.length; at += size) to.enqueue(bytes.slice(at, at + size));
        to.close();
      },
    });
    const read: (readonly [string, string])[] = [];
    for await (const frame of frames(body)) read.push(frame);
    assert.deepEqual(read, [
      ["ended", '{"reason":"kicked"}'],
      ["message", "plain"],
    ]);
  }
});
