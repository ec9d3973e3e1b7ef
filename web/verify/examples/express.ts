// An Express service: `node express.js`, with the API key (scope revocations:read) in the environment.
import express from "express";
import { connect, strict } from "@symbolon/verify";
import { admittedOf, guard } from "@symbolon/verify/express";

const verifier = await connect({
  issuer: "https://id.example.com",
  audience: "demo-api",
  feed: { apiKey: process.env["VERIFIER_API_KEY"] ?? "" },
  log: console,
});

const app = express();

app.get("/readyz", (_, answer) => {
  answer.status(verifier.isReady() ? 200 : 503).end();
});

// What stands behind the guard is closed: routes that are named before it are open.
app.use("/orders", guard(verifier));

app.get("/orders", (request, answer) => {
  const { claims } = admittedOf(request);
  answer.json({ orders: [], of: claims.sub });
});

// A refund is no place for knowledge that is older than a second.
const refunds = guard(verifier, strict(1000, { scope: "orders:write", role: "manager" }));
app.post("/orders/refunds", refunds, (request, answer) => {
  answer.json({ refunded: true, by: admittedOf(request).claims.sub });
});

const server = app.listen(3000);

process.once("SIGTERM", () => {
  server.close();
  verifier.close();
});
