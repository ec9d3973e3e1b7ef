import assert from "node:assert/strict";
import { test } from "node:test";
import { parseKeySet } from "../../src/jwk.js";
import * as json from "../../src/json.js";
import { presentedOf, Rejected } from "../../src/index.js";
import { Malformed } from "../../src/malformed.js";
import { Backoff, Bell } from "../../src/rest.js";
import { placeOf, urlOf } from "../../src/url.js";
import { b64, newKey, type Key } from "../issuer.js";

const why = (text: string): string | undefined => {
  try {
    json.members(text, "claims");
    return undefined;
  } catch (wrong) {
    assert.ok(wrong instanceof Malformed);
    return wrong.why;
  }
};

test("only an object is an object", () => {
  assert.deepEqual(
    [...json.members(' {"a" : [1, {}] , "\\u0062":"x"}\n', "x")],
    [
      ["a", "[1, {}]"],
      ["b", '"x"'],
    ],
  );
  for (const text of [
    "",
    "[]",
    '[["iss",1]]',
    "null",
    '"{}"',
    "{",
    '{"a":1,}',
    "{a:1}",
    "{}{}",
    "{} x",
    "\u{feff}{}",
    '{"a":01}',
    "{'a':1}",
    '{"a":"x\ny"}',
    '{"a":1e999}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":tru}',
    '{"a" 1}',
    '{"a":"\\x"}',
  ])
    assert.ok(why(text), text);
});

test("a member named twice is refused at every level, however it is spelled", () => {
  for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"x":[{"a":1,"\\u0061":2}]}'])
    assert.equal(why(text), "names a member twice", text);
});

test("nesting and members are bounded, and deep text does not use up the stack", () => {
  const deep = (levels: number) => `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
  assert.deepEqual([why(deep(15)), why(deep(16))], [undefined, "nests too deep"]);
  assert.equal(why(`{"a":${"[".repeat(1 << 20)}`), "nests too deep");
  const wide = (count: number) =>
    `{${Array.from({ length: count }, (_, at) => `"m${at}":0`).join(",")}}`;
  assert.deepEqual([why(wide(64)), why(wide(65))], [undefined, "has too many members"]);
});

test("a string with half a character is none, and numbers are whole or refused", () => {
  assert.ok(why('{"a":"\\ud800"}'));
  assert.equal(why('{"a":"\\ud83d\\ude00"}'), undefined);
  for (const raw of ["-0", "1.0", "1e3", "01", "", '"1"', "9007199254740993"])
    assert.throws(() => json.whole(raw, "n"), Malformed, raw);
  assert.equal(json.whole("9007199254740991", "n"), Number.MAX_SAFE_INTEGER);
});

test("what `JSON.parse` reads of a text that is accepted is what was seen", () => {
  const texts = ['{"a":{"b":[1,-2.5e3,"x\\"y",null,true]},"c":"\\u7528户"}', '{"":0}', "{}"];
  for (const text of texts)
    assert.deepEqual(
      Object.fromEntries(
        [...json.members(text, "x")].map(([name, raw]) => [name, JSON.parse(raw)]),
      ),
      JSON.parse(text),
    );
});

const set = (...keys: readonly object[]) => parseKeySet(JSON.stringify({ keys }));

test("a key of an unknown kind is passed over, and one that cannot be used refuses the set", () => {
  const { jwk }: Key = newKey();
  const secret = { kty: "oct", k: b64(Buffer.alloc(32, 1)), kid: "s" };
  assert.equal(set(jwk, { kty: "LWE", n: 1 }).keys.length, 1);
  assert.equal(set(secret).keys.length, 1);
  const rsa = newKey("RS256").jwk;
  for (const [keys, member] of [
    [[], "keys"],
    [[{ kty: "LWE" }], "keys"],
    [[jwk, secret], "keys"],
    [[jwk, jwk], "kid"],
    [[{ ...jwk, d: "x" }], "keys[0].d"],
    [[jwk, { ...newKey().jwk, use: "enc" }], "keys[1].use"],
    [[{ ...jwk, alg: "ES256" }], "keys[0].alg"],
    [[{ ...jwk, crv: "X25519" }], "keys[0].crv"],
    [[{ ...jwk, x: b64(Buffer.alloc(32)) }], "keys[0].x"],
    [[{ ...jwk, x: `${jwk.x}=` }], "keys[0].x"],
    [[{ ...jwk, key_ops: ["encrypt"] }], "keys[0].key_ops"],
    [[{ ...jwk, key_ops: ["sign"] }], "keys[0].key_ops"],
    [[{ ...jwk, kid: "" }], "keys[0].kid"],
    [[{ kty: "oct", k: b64(Buffer.alloc(31)) }], "keys[0].k"],
    [[{ ...newKey("ES256").jwk, x: b64(Buffer.alloc(32, 7)) }], "keys[0].key"],
    [[{ ...rsa, e: b64(Buffer.from([1])) }], "keys[0].e"],
    [[{ ...rsa, e: b64(Buffer.from([1, 0, 0, 0, 1])) }], "keys[0].e"],
    [[{ ...rsa, n: b64(Buffer.alloc(128, 0xff)) }], "keys[0].n"],
    [[{ ...rsa, n: b64(Buffer.concat([Buffer.from([0]), Buffer.alloc(256, 0xff)])) }], "keys[0].n"],
    [["x" as unknown as object], "keys[0].key"],
  ] as const)
    assert.throws(
      () => set(...keys),
      (wrong) => wrong instanceof Malformed && wrong.member === member,
      `${member}: ${JSON.stringify(keys).slice(0, 200)}`,
    );
  assert.throws(() => parseKeySet('{"keys":[],"keys":[]}'), Malformed);
  assert.throws(() => parseKeySet(`{"keys":[${" ".repeat(64 * 1024)}]}`), Malformed);
  assert.equal(set({ ...jwk, key_ops: ["verify"] }).select(undefined)?.kid, jwk["kid"]);
  assert.equal(set(jwk, newKey().jwk).select(undefined), undefined, "which of two?");
});

test("two spellings of one URL are the same, and what is none is none", () => {
  for (const [text, url] of [
    ["https://a.example", "https://a.example/"],
    ["HTTPS://A.Example:443/x?y#z", "https://a.example/x"],
    ["http://a.example:80/", "http://a.example/"],
    ["http://a.example:8080/%7Ea%2f%c3", "http://a.example:8080/~a%2F%C3"],
    ["https://a.example/a/./b/../c", "https://a.example/a/c"],
    ["https://a.example/a/..", "https://a.example/"],
    ["https://a.example/a/.", "https://a.example/a/"],
    ["https://a.example/../../a", "https://a.example/a"],
    ["https://a.example//a", "https://a.example//a"],
    ["https://[::1]:8443/x", "https://[::1]:8443/x"],
  ] as const)
    assert.equal(urlOf(text), url, text);
  for (const text of [
    "",
    "/x",
    "ftp://a.example",
    "https://",
    "https://me@a.example/",
    "https://a b/",
    "https://a.example/%zz",
    "https://a.example/\\",
    "https://a.example:port/",
    `https://a.example/${"x".repeat(8192)}`,
  ])
    assert.equal(urlOf(text), undefined, text.slice(0, 60));
});

test("an API key never leaves the issuer's host, nor this machine in clear", () => {
  for (const issuer of [
    "https://id.example.com",
    "http://127.0.0.1:8620",
    "http://[::1]:1",
    "http://localhost:8620",
  ])
    assert.ok(placeOf(issuer), issuer);
  for (const issuer of [
    "",
    "id.example.com",
    "http://id.example.com",
    "http://127.0.0.1.example.com",
    "http://localhost.example.com",
    "http://10.0.0.1",
    "ftp://localhost",
    "https://me@id.example.com",
    "https://id.example.com?a=b",
    "https://id.example.com/#a",
    "/path",
  ])
    assert.throws(() => placeOf(issuer), TypeError, issuer);
  const { metadata, keysAt, questionsAt } = placeOf("https://a.example/b/");
  assert.equal(metadata, "https://a.example/.well-known/oauth-authorization-server/b");
  assert.equal(keysAt("https://keys.example/x"), "https://keys.example/x");
  assert.equal(keysAt("http://127.0.0.1/x"), undefined, "a downgrade");
  assert.equal(questionsAt("https://a.example/x"), "https://a.example/x");
  for (const other of [
    "https://a.example:8443/x",
    "https://b.example/x",
    "http://a.example/x",
    "/x",
    "",
  ])
    assert.equal(questionsAt(other), undefined, other);
  const relay = placeOf("https://a.example/b", "http://127.0.0.1:8630");
  assert.equal(relay.metadata, "http://127.0.0.1:8630/.well-known/oauth-authorization-server");
  assert.equal(relay.keysAt("https://a.example/b/jwks"), "http://127.0.0.1:8630/jwks");
  assert.equal(
    relay.questionsAt("https://a.example/b/introspect"),
    "http://127.0.0.1:8630/introspect",
  );
  assert.equal(relay.questionsAt("https://a.example/bc/x"), undefined);
});

test("waits grow to their bound and are never shorter than half, and a bell ends one", async () => {
  const backoff = new Backoff();
  for (const span of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    const wait = backoff.next();
    assert.ok(span / 2 <= wait && wait <= span, `${wait} of ${span}`);
  }
  backoff.reset();
  assert.ok(backoff.next() <= 100);
  const bell = new Bell();
  const waited = bell.wait(60_000);
  bell.ring();
  assert.equal(await waited, true);
  bell.ring();
  assert.equal(await bell.wait(60_000), true, "rung before");
  assert.equal(await bell.wait(1), false);
});

test("a header of nothing but blanks is read in one pass", () => {
  const blanks = " ".repeat(100_000);
  const since = performance.now();
  assert.throws(() => presentedOf(`Bearer${blanks}`), Rejected);
  assert.equal(presentedOf(`Bearer${blanks}a${blanks}`).token, "a");
  assert.equal(presentedOf(`Bearer a${blanks}b`).token.length, 100_002);
  // A pass for each blank would be minutes.
  assert.ok(performance.now() - since < 2000);
});
