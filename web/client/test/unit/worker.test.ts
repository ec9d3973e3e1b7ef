import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../../src/index.js";
import { inWorker } from "../../src/worker.js";
import { keepTokens, type Line } from "../../src/worker-thread.js";

const AUTHORITY = "https://id.example.com";
const API = "https://api.example.com";

/** A page and a worker with a line between them, and everything that is said on it. */
function connect(answer: (url: string, form: URLSearchParams) => Promise<Response> | Response) {
  const said: string[] = [];
  const asked: { url: string; form: string }[] = [];
  const ours = {
    onmessage: null as ((event: { data: unknown }) => void) | null,
    postMessage: (data: unknown) => say(theirs, data),
  };
  const theirs = {
    onmessage: null as ((event: { data: unknown }) => void) | null,
    postMessage: (data: unknown) => say(ours, data),
  };
  const say = (to: typeof ours, data: unknown) => {
    if (to === ours) said.push(JSON.stringify(data));
    queueMicrotask(() => to.onmessage?.({ data }));
  };
  const send = async (url: string, { body }: RequestInit) => {
    asked.push({ url, form: String(body) });
    return answer(url, body as URLSearchParams);
  };
  keepTokens(AUTHORITY, send)({ ports: [theirs as Line] });
  return {
    keeper: inWorker({ port: ours } as unknown as SharedWorker, AUTHORITY),
    said,
    asked,
    line: ours,
  };
}

/** A network whose authority points elsewhere, as the platform's `fetch` sees it. */
const pointing =
  (elsewhere: string[]) =>
  async (_: string, { redirect, body }: RequestInit) => {
    if (redirect === "error") throw new TypeError("redirected");
    elsewhere.push(String(body));
    return new Response();
  };

const tokens = (count: number) => ({
  access_token: `at-${count}`,
  expires_in: 300,
  session_id: "s",
  refresh_token: `secret-${count}`,
});

test("the refresh token is in the worker alone: renewed, rotated, revoked, and never said to a page", async () => {
  let count = 0;
  const { keeper, said, asked } = connect((url) =>
    url.endsWith("/token") ? Response.json(tokens(++count)) : new Response(),
  );
  const client = createClient({
    authority: AUTHORITY,
    clientId: "worker",
    origins: [API],
    storage: keeper.storage,
    fetch: keeper.fetch,
  });
  await client.signIn(keeper.keep(tokens(0)));
  for (const _ of [1, 2]) (client.rim.tell({ is: "spent" }), await client.token());
  await client.signOut();
  assert.deepEqual(
    asked
      .slice(-3)
      .map(({ url, form }) => [url.slice(AUTHORITY.length), /secret-\d/.exec(form)?.[0]]),
    [
      ["/oauth2/token", "secret-0"],
      ["/oauth2/token", "secret-1"],
      ["/oauth2/revoke", "secret-2"],
    ],
  );
  assert.ok(said.length && said.every((text) => !text.includes("secret")));
  client.dispose();
});

test("a page cannot have the worker send the token elsewhere", async () => {
  const { keeper, asked, line } = connect(() => new Response());
  keeper.keep(tokens(0));
  for (const path of [
    "//evil.example/",
    "@evil.example/",
    "/v1/me/sessions",
    "/oauth2/token/../../x",
  ])
    await new Promise<void>((done) => {
      const hear = line.onmessage;
      line.onmessage = (event) => (hear?.(event), done());
      line.postMessage({ is: "send", id: 9, path, body: "" });
    });
  assert.deepEqual(asked, []);
});

test("an answer that comes after the sign-out keeps nothing", async () => {
  let answer = (_: Response) => {};
  const { keeper, asked } = connect(() => new Promise((done) => (answer = done)));
  keeper.keep(tokens(0));
  const late = keeper.fetch(`${AUTHORITY}/oauth2/token`, { body: "grant_type=refresh_token" });
  keeper.storage.clear!();
  await new Promise((done) => setTimeout(done));
  answer(Response.json(tokens(1)));
  await late;
  const again = keeper.fetch(`${AUTHORITY}/oauth2/token`, { body: "grant_type=refresh_token" });
  await new Promise((done) => setTimeout(done));
  assert.ok(!asked.at(-1)!.form.includes("secret"));
  answer(Response.json({ error: "invalid_request" }, { status: 400 }));
  assert.equal((await again).status, 400);
});

test("a worker follows no redirect with the refresh token", async () => {
  const elsewhere: string[] = [];
  const said: unknown[] = [];
  const line = { onmessage: null, postMessage: (data: unknown) => void said.push(data) } as Line;
  keepTokens(AUTHORITY, pointing(elsewhere))({ ports: [line] });
  const say = (data: unknown) => line.onmessage?.({ data } as never);
  say({ is: "keep", refresh: "secret-0" });
  say({ is: "send", id: 1, path: "/oauth2/token", body: "grant_type=refresh_token" });
  while (!said.length) await new Promise((done) => setTimeout(done));
  assert.deepEqual([elsewhere, said], [[], [{ id: 1 }]]);
});

test("a page that gives up one request to the worker still hears of the others", async () => {
  const answers: ((answer: Response) => void)[] = [];
  const { keeper } = connect(() => new Promise((done) => answers.push(done)));
  keeper.keep(tokens(0));
  const leave = new AbortController();
  const ask = (signal?: AbortSignal) =>
    keeper.fetch(`${AUTHORITY}/oauth2/token`, {
      body: "grant_type=refresh_token",
      ...(signal && { signal }),
    });
  const first = ask(leave.signal).then(String, String);
  const second = ask();
  leave.abort();
  assert.match(await first, /does not answer/);
  while (answers.length < 2) await new Promise((done) => setTimeout(done));
  for (const answer of answers) answer(Response.json({}, { status: 400 }));
  const late = new Promise((done) => setTimeout(done, 1000));
  assert.equal(((await Promise.race([second, late])) as Response | undefined)?.status, 400);
});
