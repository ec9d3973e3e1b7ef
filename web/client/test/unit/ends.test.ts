import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, type Kept, type Options, type Storage } from "../../src/index.js";
import { listen } from "../../src/events.js";

const AUTHORITY = "https://id.example.com";

const tokens = (count: number) => ({
  access_token: `at-${count}`,
  expires_in: 300,
  session_id: "s",
  refresh_token: `rt-${count}`,
});

/** What two tabs share, as `localStorage`. */
function shared(): Storage & { kept: Kept | undefined } {
  const own: Storage & { kept: Kept | undefined } = {
    kept: undefined,
    load: () => own.kept,
    save: (kept) => void (own.kept = kept),
    clear: () => (own.kept = undefined),
  };
  return own;
}

/** A client, and what the authority was asked for, in order. */
function page(
  clientId: string,
  answer: (path: string) => Promise<Response> | Response,
  own: Partial<Options> = {},
) {
  const asked: string[] = [];
  const client = createClient({
    authority: AUTHORITY,
    clientId,
    storage: {},
    fetch: async (input, init) => {
      const path = String(input).slice(AUTHORITY.length);
      asked.push(`${path} ${/r?token=(rt-\d)/.exec(String(init?.body))?.[1] ?? "-"}`);
      return answer(path);
    },
    ...own,
  });
  return { client, asked };
}

/** Runs what is due. */
const turns = (ms = 20) => new Promise<void>((done) => setTimeout(done, ms));

const over = () => Response.json({ error: "invalid_grant", reason: "kicked" }, { status: 400 });

test("a token that a renewal brings after another tab signed out is dropped when that is told", async () => {
  const storage = shared();
  const { client } = page(
    "drops",
    () => {
      // The other tab clears while the answer is on its way, and its message comes later.
      storage.clear!();
      return Response.json(tokens(1));
    },
    { storage },
  );
  await client.signIn(tokens(0));
  client.rim.tell({ is: "spent" });
  await client.token();
  assert.equal(storage.kept?.refresh, "rt-1");
  const other = new BroadcastChannel(`symbolon ${AUTHORITY} drops`);
  other.postMessage({ is: "signed-out", elsewhere: true });
  while (client.session.phase !== "signed-out") await turns();
  await turns();
  assert.equal(storage.kept, undefined);
  other.close();
  client.dispose();
});

test("what the next sign-in kept is not dropped with what was before", async () => {
  const storage = shared();
  const { client } = page("keeps", () => over(), { storage });
  await client.signIn(tokens(0));
  const other = new BroadcastChannel(`symbolon ${AUTHORITY} keeps`);
  storage.save!({ refresh: "rt-9", count: 0 });
  other.postMessage({ is: "signed-out", elsewhere: true });
  while (client.session.phase !== "signed-out") await turns();
  await turns();
  assert.equal(storage.kept?.refresh, "rt-9");
  other.close();
  client.dispose();
});

test("whoever signs out while the page restores is signed out at the authority too", async () => {
  const storage = shared();
  storage.save!({ refresh: "rt-7", count: 3 });
  const hangs = new Promise<Response>(() => {});
  const { client, asked } = page(
    "restores",
    (path) => (path.endsWith("/revoke") ? new Response() : hangs),
    { storage },
  );
  assert.equal(client.session.phase, "restoring");
  await client.signOut();
  assert.equal(client.session.phase, "signed-out");
  assert.ok(asked.includes("/oauth2/revoke rt-7"), asked.join(", "));
  assert.equal(storage.kept, undefined);
  client.dispose();
});

test("a dialog that signs in in vain is opened once, and is told why", async () => {
  let opened = 0;
  let why: unknown;
  const { client } = page("dialog", over, {
    storage: { hidden: true },
    async onSessionEnded() {
      // Else a loop would never end.
      if (++opened < 5) await client.signIn().catch((error: unknown) => (why = error));
    },
  });
  await client.ready;
  await assert.rejects(client.token(), { name: "SessionEnded" });
  assert.equal(opened, 1);
  assert.equal((why as Error | undefined)?.name, "SessionEnded");
  client.dispose();
});

for (const when of ["before somebody is signed in", "while it gets its token"] as const)
  test(`a stream that is stopped ${when} is not begun`, async () => {
    let give = (_: Response) => {};
    const { client, asked } = page(`stream ${when}`, (path) =>
      path === "/oauth2/token"
        ? new Promise((done) => (give = done))
        : new Response(new ReadableStream()),
    );
    if (when === "while it gets its token") await client.signIn(tokens(0));
    const stop = listen(client);
    const isAsked = () => asked.some((one) => one.startsWith("/oauth2/token"));
    while (when === "while it gets its token" && !isAsked()) await turns();
    stop();
    if (when === "before somebody is signed in") await client.signIn(tokens(0));
    give(Response.json(tokens(1)));
    // As long as a tab waits for its turn: what was begun has asked by then.
    await turns(200);
    assert.deepEqual(
      asked.filter((one) => one.startsWith("/v1/me/events")),
      [],
    );
    if (when === "before somebody is signed in") assert.equal(isAsked(), false);
    client.dispose();
  });

test("a stream that is stopped while it is asked for is left", async () => {
  let left: AbortSignal | null | undefined;
  let isAsked = (_: void) => {};
  const asked = new Promise<void>((done) => (isAsked = done));
  const { client } = page("left", () => Response.json(tokens(1)), {
    fetch: async (input, init) => {
      if (!String(input).endsWith("/events")) return Response.json(tokens(1));
      left = init?.signal;
      isAsked();
      return new Promise(() => {});
    },
  });
  await client.signIn(tokens(0));
  const stop = listen(client);
  await asked;
  stop();
  assert.equal(left?.aborted, true);
  client.dispose();
});
