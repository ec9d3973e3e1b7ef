import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { isBoundary } from "../../src/cursor.js";
import { Follower, type Heard } from "../../src/follower.js";
import { Gap } from "../../src/gap.js";
import { parseKeySet, type KeySet } from "../../src/jwk.js";
import { Mirror } from "../../src/mirror.js";
import {
  anyEntry,
  AT,
  chance,
  entry,
  ISSUER,
  jws,
  keySetOf,
  newKey,
  now,
  Sender,
} from "../issuer.js";

const key = newKey();
const nobody = async () => {};

/** A follower, its mirror, and the feed that it follows. */
async function begun(
  sender = new Sender(key),
  keys: () => KeySet | undefined = () => keySetOf(key),
) {
  const mirror = new Mirror(true);
  const follower = new Follower({ issuer: ISSUER, mirror, keys });
  await follower.onSnapshot(sender.snapshot(AT * 1000), () => now(), nobody);
  return { sender, mirror, follower };
}

const bytes = (...frames: readonly string[]) => Buffer.from(frames.join(""));

/** Answers the question what time it is, as the authority would. */
function tellTime(follower: Follower, sender: Sender, at = now(), other: object = {}): void {
  const nonce = `n-${at.monotonic}`;
  const path = follower.askTime(nonce, at);
  assert.equal(path, `/v1/feed/poll?after=${sender.cursor.text}&nonce=${nonce}`);
  follower.onTime(bytes(sender.checkpoint(at.wall, { nonce, ...other })), at);
}

const knows = (mirror: Mirror, letter: string) =>
  mirror.judge([["session", letter.repeat(16)]], [0, 0, 0, 0]) !== undefined;

const gap = (run: () => unknown): string => {
  try {
    run();
  } catch (why) {
    assert.ok(why instanceof Gap, String(why));
    return why.what;
  }
  return "none";
};

test("the feed is followed from its snapshot on, however the bytes arrive", async () => {
  for (const size of [1, 2, 7, 100, 10_000]) {
    const before = new Sender(key);
    before.revoke(entry({ name: "a".repeat(16) }));
    const { sender, mirror, follower } = await begun(before);
    assert.ok(knows(mirror, "a"));
    assert.equal(mirror.age(now()), undefined, "nobody said what time it is");
    tellTime(follower, sender);
    assert.equal(mirror.age(now()), 0);
    const text = bytes(
      sender.revoke(entry({ name: "b".repeat(16) })),
      sender.checkpoint(AT * 1000 + 900),
    );
    const heard: Heard[] = [];
    for (let at = 0; at < text.length; at += size)
      heard.push(follower.onBytes(text.subarray(at, at + size), now(1000)));
    assert.ok(knows(mirror, "b"));
    assert.equal(
      heard.reduce((sum, one) => sum + one.applied, 0),
      1,
    );
    assert.ok(heard.at(-1)?.vouched);
    assert.equal(mirror.age(now(1000)), 100);
    assert.equal(follower.tip?.text, sender.cursor.text);
  }
});

/** One fault of any kind on the way of these frames. */
function spoilt(frames: readonly string[], random: (below: number) => number): Buffer {
  const [at, to] = [random(frames.length), random(frames.length)];
  const text = bytes(...frames);
  switch (random(5)) {
    case 0:
      return bytes(...frames.toSpliced(at, 1));
    case 1:
      return bytes(...frames.toSpliced(at, 0, frames[to]!));
    case 2:
      return bytes(...frames.with(at, frames[to]!).with(to, frames[at]!));
    case 3:
      text[random(text.length)]! ^= 1 << random(7);
      return text;
    default:
      return text.subarray(0, random(text.length));
  }
}

test("whatever is lost, doubled, moved, changed or cut, nothing is vouched for that is not known", async () => {
  let noticed = 0;
  for (let seed = 1; seed <= 500; seed += 1) {
    const random = chance(seed * 104_729);
    const { sender, mirror, follower } = await begun();
    tellTime(follower, sender);
    const entries = Array.from({ length: 1 + random(6) }, () => anyEntry(random));
    const lasting = entries.map((one) => ({ ...one, expires_at: AT + 400 }));
    const frames = lasting.map((one) => sender.revoke(one));
    frames.push(sender.checkpoint(AT * 1000 + 500));
    const right = new Mirror(true);
    right.apply(lasting);
    const knowsAll = () =>
      lasting.every(({ kind, name }) =>
        [0, 1, 2, 3, 4, 5, 6].every((counter) => {
          const judge = (one: Mirror) => one.judge([[kind, name]], [2, counter, counter, counter]);
          return judge(mirror)?.effect === judge(right)?.effect;
        }),
      );
    try {
      if (follower.onBytes(spoilt(frames, random), now(1000)).vouched)
        assert.ok(knowsAll(), `${seed}`);
    } catch (why) {
      assert.ok(why instanceof Gap, String(why));
      noticed += 1;
    }
    // The last checkpoint before is at 0, the one that was sent at 500.
    if (mirror.age(now(1000))! < 1000) assert.ok(knowsAll(), `seed ${seed}`);
    follower.onEnd();
    for (let turn = 0; turn < 3; turn += 1) {
      const wants = follower.wants();
      if (wants.is === "keys") follower.onKeys();
      else if (wants.is === "snapshot")
        await follower.onSnapshot(sender.snapshot(AT * 1000 + 900), () => now(2000), nobody);
      else if (wants.after !== sender.cursor.text) follower.onBytes(bytes(...frames), now(2000));
    }
    assert.ok(knowsAll(), `seed ${seed}, afterwards`);
    assert.equal(follower.tip?.text, sender.cursor.text, `seed ${seed}`);
  }
  assert.ok(noticed > 200, `${noticed} were noticed`);
});

test("what no checkpoint vouched for is fetched again after the connection ended", async () => {
  const { sender, mirror, follower } = await begun();
  const start = sender.cursor.text;
  follower.onBytes(bytes(sender.revoke(entry({ name: "a".repeat(16) }))), now());
  assert.ok(knows(mirror, "a"), "it is applied at once");
  follower.onEnd();
  assert.deepEqual(follower.wants(), { is: "stream", after: start });
});

test("a block that begins without a checkpoint at its start is a gap", async () => {
  const sender = new Sender(key);
  while (sender.cursor.position < 1023) sender.revoke(entry());
  const { follower } = await begun(sender);
  const end = sender.revoke(entry());
  const [last, checkpoint] = end.split(/(?=event: checkpoint)/);
  assert.ok(isBoundary(sender.cursor));
  const first = sender.revoke(entry());
  assert.equal(
    gap(() => follower.onBytes(bytes(last!, first), now())),
    "boundary",
  );
  assert.equal(follower.wants().is, "snapshot");
  const again = new Sender(key);
  while (again.cursor.position < 1023) again.revoke(entry());
  const { follower: right } = await begun(again);
  assert.equal(
    gap(() => right.onBytes(bytes(last!, checkpoint!, first), now())),
    "none",
  );
});

test("another issuer, another key, another epoch and another place are gaps, each by its name", async () => {
  const forged = new Sender({ ...newKey(), kid: key.kid });
  const stranger = new Sender(newKey());
  const cases: readonly (readonly [(sender: Sender) => string, string])[] = [
    [(sender) => sender.checkpoint(AT * 1000, { iss: "https://other.example" }), "issuer"],
    [() => forged.checkpoint(AT * 1000), "forged"],
    [() => stranger.checkpoint(AT * 1000), "key"],
    [() => new Sender(key, 3).checkpoint(AT * 1000), "epoch"],
    [() => new Sender(key, 3).revoke(entry()), "epoch"],
    [(sender) => sender.revoke(entry()).replace("kicked", "banned"), "order"],
    [(sender) => sender.checkpoint(AT * 1000, { read_at_ms: AT * 1000 + 1 }), "forged"],
    [(sender) => sender.checkpoint(AT * 1000, { epoch: 7 }), "malformed"],
    [() => "event: revocation\nid: x\ndata: {}\n\n", "malformed"],
    [() => `event: later\ndata: ${"x".repeat(17_000)}`, "malformed"],
    [() => "event: later\ndata: {\n\n:\n\nevent: report\r\ndata: {}\r\n\n", "none"],
  ];
  for (const [send, what] of cases) {
    const { sender, follower } = await begun();
    assert.equal(
      gap(() => follower.onBytes(bytes(send(sender)), now())),
      what,
    );
  }
  const placeless = new Follower({
    issuer: ISSUER,
    mirror: new Mirror(true),
    keys: () => keySetOf(key),
  });
  assert.equal(
    gap(() => placeless.onBytes(bytes(new Sender(key).revoke(entry())), now())),
    "unplaced",
  );
  assert.equal(placeless.wants().is, "snapshot");
});

test("a checkpoint under a new key wants the keys, and then goes on from where it was", async () => {
  const newer = newKey();
  let keys = keySetOf(key);
  const { sender, follower } = await begun(new Sender(key), () => keys);
  const turned = Object.assign(Object.create(Sender.prototype) as Sender, sender, { key: newer });
  assert.equal(
    gap(() => follower.onBytes(bytes(turned.checkpoint(AT * 1000)), now())),
    "key",
  );
  assert.equal(follower.wants().is, "keys");
  keys = keySetOf(key, newer);
  follower.onKeys();
  assert.deepEqual(follower.wants(), { is: "stream", after: sender.cursor.text });
  assert.ok(follower.onBytes(bytes(turned.checkpoint(AT * 1000)), now()).vouched);
  assert.equal(follower.resyncs, 0);
});

test("a checkpoint under a key that was withdrawn is passed by with a snapshot", async () => {
  const gone = newKey();
  const { sender, follower } = await begun();
  const old = Object.assign(Object.create(Sender.prototype) as Sender, sender, { key: gone });
  for (const wants of ["keys", "snapshot"]) {
    assert.equal(
      gap(() => follower.onBytes(bytes(old.checkpoint(AT * 1000)), now())),
      "key",
    );
    follower.onEnd();
    assert.equal(follower.wants().is, wants);
    follower.onKeys();
  }
});

test("on another store epoch the mirror adds and forgets nothing", async () => {
  const { sender, mirror, follower } = await begun();
  follower.onBytes(bytes(sender.revoke(entry({ name: "a".repeat(16) }))), now());
  const restored = new Sender(key, 3);
  restored.revoke(entry({ name: "b".repeat(16) }));
  follower.onGone();
  assert.equal(follower.wants().is, "snapshot");
  await follower.onSnapshot(restored.snapshot(AT * 1000), () => now(), nobody);
  assert.ok(knows(mirror, "a") && knows(mirror, "b"));
  assert.equal(follower.resyncs, 1);
});

test("an old snapshot that somebody plays again takes nothing away and is as old as it is", async () => {
  const sender = new Sender(key);
  const old = sender.snapshot(AT * 1000);
  const { mirror, follower } = await begun(sender);
  follower.onBytes(
    bytes(sender.revoke(entry({ name: "a".repeat(16) })), sender.checkpoint(AT * 1000)),
    now(),
  );
  tellTime(follower, sender);
  follower.onGone();
  await follower.onSnapshot(old, () => now(60_000), nobody);
  assert.ok(knows(mirror, "a"));
  assert.equal(mirror.age(now(60_000)), 60_000);
});

test("only an answer to our own nonce says what time it is", async () => {
  const { sender, mirror, follower } = await begun();
  assert.ok(follower.askTime("ours", now()));
  const answer = (nonce: string) => bytes(sender.checkpoint(AT * 1000, { nonce }));
  assert.equal(
    gap(() => follower.onTime(answer("theirs"), now(10))),
    "forged",
  );
  assert.equal(
    gap(() => follower.onTime(bytes(), now(10))),
    "order",
  );
  assert.equal(mirror.age(now(10)), undefined);
  follower.onTime(answer("ours"), now(10));
  assert.equal(mirror.age(now(10)), 10, "counted from before the question was sent");
  assert.equal(
    gap(() => follower.onTime(answer("ours"), now(20))),
    "forged",
    "used up",
  );
});

test("a checkpoint that was held back is old, whoever held it", async () => {
  const { sender, mirror, follower } = await begun();
  tellTime(follower, sender);
  follower.onBytes(bytes(sender.checkpoint(AT * 1000 + 100)), now(30_000));
  assert.equal(mirror.age(now(30_000)), 29_900);
});

test("the time is asked for each minute, and at most each second when a clock has jumped", async () => {
  const { sender, follower } = await begun();
  tellTime(follower, sender);
  assert.equal(follower.askTime("n", now(59_000)), undefined);
  assert.ok(follower.askTime("n", now(60_000)));
  const { sender: other, mirror, follower: woken } = await begun();
  tellTime(woken, other);
  const jumped = { wall: AT * 1000 + 3_600_000, monotonic: 2000 };
  assert.ok(woken.askTime("n", jumped), "the machine was suspended");
  assert.equal(mirror.age(jumped), 3_600_000);
  assert.equal(woken.askTime("n", { ...jumped, monotonic: 2900 }), undefined);
});

test("an authority whose clock was set back makes nothing look fresh", async () => {
  const { sender, mirror, follower } = await begun();
  tellTime(follower, sender);
  follower.onBytes(bytes(sender.checkpoint(AT * 1000 + 60_000)), now(60_000));
  tellTime(follower, sender, now(61_000), { now_ms: AT * 1000 - 1000, read_at_ms: 0 });
  assert.equal(mirror.age(now(70_000)), 10_000, "what was vouched for by the old clock");
  tellTime(follower, sender, now(71_000), { now_ms: AT * 1000, read_at_ms: AT * 1000 - 500 });
  assert.equal(mirror.age(now(72_000)), 1500, "by the new one");
});

test("a checkpoint from before the authority began vouches for the digest and not for the time", async () => {
  const { sender, mirror, follower } = await begun();
  tellTime(follower, sender);
  const heard = follower.onBytes(
    bytes(sender.checkpoint(AT * 1000 + 900, { read_at_ms: 0 })),
    now(1000),
  );
  assert.ok(heard.vouched);
  assert.equal(mirror.age(now(1000)), 1000);
});

test("an access token is no checkpoint, nor is what a shared secret signed", async () => {
  const payload = (sender: Sender) => {
    const [, said] = /"jws":"([^"]+)"/.exec(sender.checkpoint(AT * 1000))!;
    return Buffer.from(said!.split(".")[1]!, "base64url").toString();
  };
  const frame = (text: string) =>
    bytes(`event: checkpoint\ndata: ${JSON.stringify({ jws: text })}\n\n`);
  const typ = "symbolon-checkpoint+jwt";
  const { sender, follower } = await begun();
  const token = jws(key, { typ: "at+jwt" }, payload(sender));
  assert.equal(
    gap(() => follower.onBytes(frame(token), now())),
    "malformed",
  );
  const secret = Buffer.alloc(32, 7);
  const shared = parseKeySet(
    JSON.stringify({ keys: [{ kty: "oct", k: secret.toString("base64url"), kid: "s" }] }),
  );
  const sign = (text: string) => createHmac("sha256", secret).update(text).digest();
  const keys = [keySetOf(key), shared];
  const { follower: other } = await begun(sender, () => keys[0]);
  keys.shift();
  const mac = jws({ ...key, kid: "s", alg: "HS256" as "EdDSA", sign }, { typ }, payload(sender));
  assert.equal(
    gap(() => other.onBytes(frame(mac), now())),
    "forged",
  );
});
