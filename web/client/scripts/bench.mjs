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
console.log(
  `one request: ${median(ours).toFixed(1)} us, of which without us ${median(floor).toFixed(1)} us`,
);

const waits = [];
for (let round = 0; round < ROUNDS; round++) {
  client.rim.tell({ is: "spent" });
  await Promise.all(Array.from({ length: WAITING }, () => client.token()));
  waits.push(performance.now() - answered);
}
console.log(
  `${WAITING} waiting requests go on ${median(waits).toFixed(2)} ms after the renewal's answer (slowest ${Math.max(...waits).toFixed(2)})`,
);
client.dispose();
