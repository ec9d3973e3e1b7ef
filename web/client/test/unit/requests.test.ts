import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, type Options, type Storage } from "../../src/index.js";

const AUTHORITY = "https://id.example.com";
const API = "https://api.example.com";

const tokens = (count: number) => ({
  access_token: `at-${count}`,
  expires_in: 300,
  session_id: "s",
  refresh_token: `rt-${count}`,
});

interface Sent {
  readonly authorization: string | null;
  readonly body: string;
}

/** A client of a service that answers as told, and what the service was sent. */
async function someone(
  clientId: string,
  service: (sent: Sent) => Response,
  own: Partial<Options> = {},
) {
  const sent: Sent[] = [];
  let renewals = 0;
  const client = createClient({
    authority: AUTHORITY,
    clientId,
    origins: [API],
    storage: {},
    fetch: async (input, init) => {
      const request = new Request(input, init);
      if (request.url.startsWith(AUTHORITY)) return Response.json(tokens(++renewals));
      const authorization = request.headers.get("authorization");
      sent.push({ authorization, body: await request.text() });
      return service(sent.at(-1)!);
    },
    ...own,
  });
  await client.signIn(tokens(0));
  return { client, sent, renewals: () => renewals };
}

const isOld = ({ authorization }: Sent) => authorization === "Bearer at-0";

test("a service that says 403 for a bad token is renewed for, if `classify` says so", async () => {
  const service = (sent: Sent) => new Response("", { status: isOld(sent) ? 403 : 200 });
  const { client, sent, renewals } = await someone("says-403", service, {
    classify: ({ status }) => (status === 403 ? "renew" : undefined),
  });
  const answer = await client.fetch(`${API}/orders`, { method: "POST", body: "one" });
  assert.equal(answer.status, 200);
  assert.deepEqual(
    sent.map(({ body }) => body),
    ["one", "one"],
  );
  assert.equal(renewals(), 1);
  client.dispose();
});

test("a 200 with a code in its body is read by `classify`, and the page gets a body that nobody has read", async () => {
  const service = (sent: Sent) =>
    Response.json(isOld(sent) ? { code: 40101 } : { code: 0, orders: [1] });
  const { client, renewals } = await someone("says-200", service, {
    classify: async (answer) =>
      ((await answer.json()) as { code: number }).code === 40101 ? "renew" : "pass",
  });
  const answer = await client.fetch(`${API}/orders`);
  assert.deepEqual(await answer.json(), { code: 0, orders: [1] });
  assert.equal(renewals(), 1);
  client.dispose();
});

test("a 403, and a 200 with a code, are handed on where nobody classifies them", async () => {
  for (const status of [403, 200]) {
    const { client, sent } = await someone(`plain-${status}`, () =>
      Response.json({ code: 40101 }, { status }),
    );
    const answer = await client.fetch(`${API}/orders`);
    assert.deepEqual([answer.status, await answer.json()], [status, { code: 40101 }]);
    assert.equal(sent.length, 1);
    client.dispose();
  }
});

const stale = () =>
  new Response("", {
    status: 401,
    headers: { "www-authenticate": 'Bearer error="invalid_token", reason="stale"' },
  });

test("a body that is changed after the call is sent as it was, both times", async () => {
  const service = (sent: Sent) => (isOld(sent) ? stale() : new Response());
  const { client, sent } = await someone("changes", service);
  const bytes = new TextEncoder().encode("as it was");
  const answer = client.fetch(`${API}/orders`, { method: "POST", body: bytes });
  bytes.fill(0);
  assert.equal((await answer).status, 200);
  assert.deepEqual(
    sent.map(({ body }) => body),
    ["as it was", "as it was"],
  );
  client.dispose();
});

test("a URL that is changed while the request waits is asked as it was, and gets no token elsewhere", async () => {
  const asked: string[] = [];
  let answer = (_: Response) => {};
  const { client } = await someone("moves", () => new Response(), {
    fetch: async (input, init) => {
      const request = new Request(input, init);
      if (request.url.startsWith(AUTHORITY)) return new Promise((done) => (answer = done));
      asked.push(`${request.method} ${request.url} ${request.headers.get("authorization")}`);
      return new Response();
    },
  });
  client.rim.tell({ is: "spent" });
  const url = new URL(`${API}/orders`);
  const init = { method: "DELETE" };
  const sent = client.fetch(url, init);
  url.host = "evil.example";
  init.method = "PUT";
  while (asked.length === 0) {
    answer(Response.json(tokens(1)));
    await new Promise((done) => setTimeout(done, 5));
  }
  assert.equal((await sent).status, 200);
  assert.deepEqual(asked, [`DELETE ${API}/orders Bearer at-1`]);
  client.dispose();
});

test("a stream is refused before anything of it is sent", async () => {
  const { client, sent } = await someone("streams", () => new Response());
  const body = new Blob(["x"]).stream() as unknown as ReadableStream;
  const init = { method: "POST", body, duplex: "half" } as RequestInit;
  await assert.rejects(client.fetch(`${API}/orders`, init), /stream cannot be sent again/);
  assert.deepEqual(sent, []);
  client.dispose();
});

test("without the stream of events, too, a page hears that roles changed", async () => {
  const service = (sent: Sent) => (isOld(sent) ? stale() : new Response());
  const { client } = await someone("hears", service);
  const told: string[] = [];
  for (const name of ["stale", "renewed"] as const) client.on(name, () => told.push(name));
  await client.fetch(`${API}/orders`);
  assert.deepEqual(told, ["stale", "renewed"]);
  client.dispose();
});

test("a client that the authority refuses says so at once, and nobody is signed out", async () => {
  const answer = { error: "invalid_client", error_description: "no such client" };
  const { client } = await someone("refused", () => new Response(), {
    fetch: async () => Response.json(answer, { status: 401 }),
  });
  client.rim.tell({ is: "spent" });
  await assert.rejects(client.token(), {
    name: "Misconfigured",
    message: "invalid_client: no such client",
  });
  assert.equal(client.session.sid, "s");
  client.dispose();
});

test("a storage that fails is not a session that is over", async () => {
  const storage: Storage = {
    load: () => Promise.reject(new Error("locked")),
  };
  const { client } = await someone("locked", () => new Response(), { storage, patience: 0 });
  client.rim.tell({ is: "spent" });
  await assert.rejects(client.token(), { name: "Unavailable" });
  assert.equal(client.session.sid, "s");
  client.dispose();
});
