// A Fastify service: a plugin whose routes are all guarded, and a route that asks for more.
import fastify from "fastify";
import { bounded, connect, strict } from "@symbolon/verify";
import { admittedOf, guard } from "@symbolon/verify/fastify";

const verifier = await connect({
  issuer: "https://id.example.com",
  audience: "demo-api",
  feed: { apiKey: process.env["VERIFIER_API_KEY"] ?? "" },
  log: console,
});

const app = fastify();

app.get("/readyz", async (_, reply) => reply.code(verifier.isReady() ? 200 : 503).send());

await app.register(async (orders) => {
  orders.addHook("onRequest", guard(verifier, bounded(5000, { scope: "orders:read" })));

  orders.get("/orders", async (request) => ({
    orders: [],
    of: admittedOf(request).claims.sub,
  }));

  const refunds = guard(verifier, strict(1000, { role: "manager" }));
  orders.post("/orders/refunds", { onRequest: refunds }, async () => ({ refunded: true }));
});

app.addHook("onClose", async () => verifier.close());

await app.listen({ port: 3000 });
