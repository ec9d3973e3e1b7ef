// What the client adds to a request, beside its own floor from the same run: `npm run build && node scripts/bench.mjs`.
import { createClient, memory } from "../dist/index.js";

const API = "https://api.example.com";
const ROUNDS = 21;
const REQUESTS = 1000;
const WAITING = 200;

const tokens = { access_token: "a", expires_in: 3600, session_id: "s", refresh_token: "r" };
const answer = { status: 200, headers: new Headers(), ok: true, json: async () => tokens };
let answered = 0;
const stub = async (url) => {
  if (String(url).endsWith("/oauth2/token")) answered = performance.now();
  return answer;
};
const client = createClient({
  authority: "https://id.example.com",
  clientId: "bench",
  storage: memory,
  origins: [API],
  fetch: stub,
});
await client.signIn(tokens);

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const each = async (act) => {
  const since = performance.now();
  for (let at = 0; at < REQUESTS; at++) await act();
  return ((performance.now() - since) * 1000) / REQUESTS;
};

const [floor, ours] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  floor.push(
    await each(() =>
      stub(`${API}/orders`, { headers: new Headers({ authorization: "Bearer a" }) }),
    ),
  );
  ours.push(await each(() => client.fetch(`${API}/orders`)));
}
const [own, bare] = [median(ours), median(floor)];
console.log(
  `a request: ${own.toFixed(1)} us; floor ${bare.toFixed(1)} us; ratio ${(own / bare).toFixed(1)}; added ${(own - bare).toFixed(1)} us (at most 20)`,
);

const [waits, alone] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  // The floor: as many promises that wait for one.
  let settle;
  const one = new Promise((done) => (settle = done));
  const many = Promise.all(Array.from({ length: WAITING }, async () => (await one).access_token));
  const since = performance.now();
  settle(tokens);
  await many;
  alone.push(performance.now() - since);

  client.rim.tell({ is: "spent" });
  await Promise.all(Array.from({ length: WAITING }, () => client.token()));
  waits.push(performance.now() - answered);
}
const [after, least] = [median(waits), median(alone)];
console.log(
  `${WAITING} waiting requests go on ${after.toFixed(2)} ms after the renewal's answer (slowest ${waits.at(-1).toFixed(2)}); floor ${least.toFixed(2)} ms; ratio ${(after / least).toFixed(1)} (at most 5 ms)`,
);
client.dispose();
