// A handler of Request and Response, as Hono, Next and others take it, and a stream that ends with its session.
import { bounded, connect } from "@symbolon/verify";
import { guard } from "@symbolon/verify/fetch";

const verifier = await connect({
  issuer: "https://id.example.com",
  audience: "demo-api",
  feed: { apiKey: process.env["VERIFIER_API_KEY"] ?? "" },
  log: console,
});

const policy = bounded(5000, { scope: "orders:read" });

/** The orders of whoever asks. */
export const GET = guard(verifier, policy, (_, { claims }) =>
  Response.json({ orders: [], of: claims.sub }),
);

/** What happens to them: whatever outlives a request ends with the session. */
export const live = guard(verifier, policy, (request, admitted) => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const stream = writable.getWriter();
  const tell = (text: string) => stream.write(new TextEncoder().encode(text));
  // Watched before anything is said, so that no end falls between; and no longer than the request lasts.
  void admitted.ended(request.signal).then(async (reason) => {
    await tell(`event: ended\ndata: ${reason ?? "unwatched"}\n\n`);
    await stream.close();
  });
  void tell(": welcome\n\n");
  return new Response(readable, { headers: { "content-type": "text/event-stream" } });
});
