import assert from "node:assert/strict";
import { test } from "node:test";
import { httpOf, type FetchError } from "../../src/http.js";
import { Rejected } from "../../src/index.js";
import { Redeemer } from "../../src/redeem.js";
import { networkOf } from "../../src/surroundings.js";

/** A redeemer whose authority answers so, and what it complained of. */
function redeemer(answer: () => Response | Promise<Response>) {
  const troubles: FetchError[] = [];
  const asked: { url: string; body: unknown; authorization: string | null }[] = [];
  const send = async (url: unknown, init?: RequestInit) => {
    const authorization = new Headers(init?.headers).get("authorization");
    asked.push({ url: String(url), body: JSON.parse(String(init?.body)), authorization });
    return answer();
  };
  const at = (path: string) => `https://id.example.com${path}`;
  const own = new Redeemer(httpOf(send as typeof fetch), "sym_ak_x", at, (why) =>
    troubles.push(why),
  );
  return { own, troubles, asked };
}

const word = (redeemed: Promise<unknown>): Promise<string> =>
  redeemed.then(
    () => "in",
    (why: unknown) => {
      if (!(why instanceof Rejected)) throw why;
      const { refusal } = why;
      return refusal.is === "revoked" ? `revoked ${refusal.ended}` : refusal.is;
    },
  );

const told = (status: number, body: string) => () => new Response(body, { status });

test("every answer about a token for one use means one thing", async () => {
  for (const [status, body, expected, isTrouble] of [
    [200, '{"active":true}', "in"],
    [200, "{}", "unverifiable"],
    [200, '{"active":"true"}', "unverifiable"],
    [200, "[", "unverifiable"],
    [400, "{}", "untrusted"],
    [401, "{}", "unverifiable", true],
    [403, "{}", "unverifiable", true],
    [404, "{}", "revoked undefined"],
    [409, '{"type":"urn:symbolon:already-used"}', "used"],
    [409, '{"type":"urn:symbolon:expired"}', "expired"],
    [409, '{"type":"urn:symbolon:stale"}', "stale"],
    [409, '{"type":"urn:symbolon:session-ended","reason":"kicked"}', "revoked kicked"],
    [503, "", "unverifiable", true],
  ] as const) {
    const { own, troubles, asked } = redeemer(told(status, body));
    assert.equal(await word(own.token("a.b.c")), expected, `${status} ${body}`);
    assert.equal(troubles.length, isTrouble ? 1 : 0, `${status} ${body}`);
    assert.deepEqual(asked, [
      {
        url: "https://id.example.com/v1/tokens/redeem",
        body: { token: "a.b.c" },
        authorization: "Bearer sym_ak_x",
      },
    ]);
  }
});

test("every answer about a ticket means one thing, and what is none is not asked about", async () => {
  for (const [status, body, expected] of [
    [200, '{"access_token":"a.b.c"}', "in"],
    [200, "{}", "unverifiable"],
    [200, '{"access_token":7}', "unverifiable"],
    [400, "{}", "malformed"],
    [404, "{}", "revoked undefined"],
    [409, '{"type":"urn:symbolon:already-used"}', "expired"],
    [409, '{"type":"urn:symbolon:expired"}', "expired"],
    [409, '{"type":"urn:symbolon:session-ended","reason":"kicked"}', "revoked kicked"],
    [503, "", "unverifiable"],
  ] as const) {
    const { own } = redeemer(told(status, body));
    assert.equal(await word(own.ticket("sym_tk_AA", "demo-api")), expected, `${status} ${body}`);
  }
  const { own, asked } = redeemer(told(200, '{"access_token":"a.b.c"}'));
  for (const none of ["", "sym_tk_a b", "sym_at_AA", `sym_tk_${"A".repeat(250)}`])
    assert.equal(await word(own.ticket(none, "demo-api")), "malformed");
  assert.deepEqual(asked, []);
});

test("an authority that is away lets nobody in, and beyond a thousand nobody waits", async () => {
  const away = redeemer(() => Promise.reject(new TypeError("away")));
  assert.equal(await word(away.own.token("a.b.c")), "unverifiable");
  assert.equal(away.troubles.length, 1);
  let answer = (_: Response) => {};
  const { own } = redeemer(() => new Promise((done) => (answer = done)));
  const waiting = Array.from({ length: 1024 }, () => word(own.token("a.b.c")));
  assert.equal(await word(own.token("a.b.c")), "unverifiable");
  answer(new Response('{"active":true}'));
  const words = await Promise.all(waiting);
  assert.equal(words.filter((one) => one === "in").length, 1);
});

test("a network is /24 of IPv4 and /56 of IPv6, and what is no address has none", () => {
  const hex = (ip: string) => networkOf(ip)?.toString("hex");
  assert.equal(hex("203.0.113.7"), "00000000000000000000ffffcb007100");
  assert.equal(hex("::ffff:203.0.113.7"), hex("203.0.113.9"));
  assert.equal(hex("2001:db8:1:2ff::1"), "20010db8000102000000000000000000");
  assert.equal(hex("::1"), "00000000000000000000000000000000");
  assert.equal(hex("1:2:3:4:5:6:7:8"), "00010002000300000000000000000000");
  assert.equal(hex("1::"), "00010000000000000000000000000000");
  for (const none of ["", "localhost", "1.2.3", "1.2.3.4:80", "[::1]", "::g"])
    assert.equal(hex(none), undefined, none);
});
