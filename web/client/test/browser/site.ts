/** The application: its pages, its back end, its service, and the way to the authority under its own host. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { build } from "esbuild";
import type { Authority } from "./authority.js";

/** What went over the wire to the authority's token endpoint, or to a service. */
export interface Seen {
  readonly path: string;
  readonly host: string;
  readonly authorization: string | undefined;
  /** The proof of a key, if one was shown. */
  readonly proof: string | undefined;
  readonly body: string;
  /** When it came, on the clock of the tests. */
  readonly at: number;
  status?: number;
}

/**
 * What happens to a call of the authority on its way. `lose-one`: one answer is lost, and what comes then is passed;
 * `break`: one is lost, and what comes then refused.
 */
export type Fault = "lose-answer" | "lose-one" | "break" | "hang" | "unavailable" | "refuse";

/** A site that runs. */
export interface Site {
  readonly origin: string;
  /** The same server under another name: another origin. */
  readonly other: string;
  /** The same as the network knows it: plain http, and no secure context. */
  readonly lan: string;
  readonly seen: Seen[];
  /** How many renewals the authority was asked for, before an instant or until now. */
  renewals(before?: number): number;
  /** What to do with the calls of `/oauth2/token` from now on; `undefined` passes them. */
  fault: Fault | undefined;
  /** The answers to renewals that were lost after the authority had renewed. */
  lost: number;
  /** How many renewals were refused as `unavailable`. */
  refused: number;
  /** Whether a refresh token is refused that was shown before, as where each is good once. */
  goodOnce: boolean;
  /** Whether every call of the authority is sent on to the other origin, as by a proxy that was taken over. */
  pointsElsewhere: boolean;
  /** Holds calls of `/oauth2/token` back until it settles. */
  gate: Promise<void> | undefined;
  stop(): Promise<void>;
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>Site</title>
<script type="importmap">{"imports":{"@symbolon/client":"/sdk/index.js"}}</script>
<script type="module">
import * as sdk from "@symbolon/client";
import { listen } from "/sdk/events.js";
import { dpop } from "/sdk/dpop.js";
window.sdk = { ...sdk, listen, dpop };
</script>`;

/** Starts it on a port. */
export async function startSite(port: number, authority: () => Authority): Promise<Site> {
  const seen: Seen[] = [];
  const shown = new Set<string>();
  const server = createServer(
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  );
  const site: Site = {
    origin: `http://127.0.0.1:${port}`,
    other: `http://localhost:${port}`,
    lan: `http://lan.test:${port}`,
    seen,
    renewals: (before = Infinity) =>
      seen.filter(
        ({ path, body, at }) =>
          path === "/oauth2/token" && !body.includes("resource=") && at < before,
      ).length,
    fault: undefined,
    lost: 0,
    refused: 0,
    goodOnce: false,
    pointsElsewhere: false,
    gate: undefined,
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return site;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.split("?")[0]!;
    const body = await read(request);
    if (path.startsWith("/sdk/") || path.startsWith("/pages/")) return script(path, response);
    if (path.startsWith("/oauth2/") || path.startsWith("/v1/me/"))
      return proxy(request, response, body);
    if (path === "/sign-in") return signIn(body, response);
    if (path.startsWith("/api/")) return service(request, response, body);
    if (path === "/third-party") return thirdParty(request, response);
    if (path === "/elsewhere") return void (note(request, body), response.end("{}"));
    response.setHeader("content-type", path === "/worker.js" ? "text/javascript" : "text/html");
    response.end(
      path === "/worker.js"
        ? "onfetch = (event) => event.respondWith(fetch(event.request));"
        : PAGE,
    );
  }

  async function script(path: string, response: ServerResponse): Promise<void> {
    response.setHeader("content-type", "text/javascript");
    response.end(
      path.startsWith("/sdk/") ? await readFile(`dist/${path.slice(5)}`) : await bundle(path),
    );
  }

  function note(request: IncomingMessage, body: Buffer): Seen {
    const { authorization, dpop, host } = request.headers;
    const one: Seen = {
      path: request.url!,
      host: host!,
      authorization,
      proof: dpop?.toString(),
      body: body.toString("latin1"),
      at: performance.now(),
    };
    seen.push(one);
    return one;
  }

  async function proxy(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ): Promise<void> {
    const one = note(request, body);
    const isToken = request.url === "/oauth2/token";
    if (isToken) await site.gate;
    if (site.pointsElsewhere)
      return void response.writeHead(307, { location: `${site.other}/elsewhere` }).end();
    const fault = isToken ? site.fault : undefined;
    if (fault === "refuse") return void response.destroy();
    const json = { "content-type": "application/json" };
    if (fault === "unavailable") {
      site.refused++;
      return void response.writeHead(503, json).end("{}");
    }
    const token = isToken && new URLSearchParams(one.body).get("refresh_token");
    if (token && site.goodOnce && shown.has(token))
      return void response.writeHead(400, json).end('{"error":"invalid_grant"}');
    if (token) shown.add(token);
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers))
      if (!["host", "connection", "content-length", "keep-alive"].includes(name))
        headers.set(name, String(value));
    // As a development server's proxy is told to: plain http of the network is on no client's list.
    if (request.headers.host === new URL(site.lan).host) headers.set("origin", site.origin);
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const answer = await fetch(authority().url + request.url, {
      method: request.method!,
      headers,
      body: body.length ? new Uint8Array(body) : null,
      signal: fault ? null : gone.signal,
    });
    one.status = answer.status;
    if (answer.ok && (fault === "lose-answer" || fault === "lose-one" || fault === "break")) {
      site.lost++;
      if (fault !== "lose-answer") site.fault = fault === "break" ? "refuse" : undefined;
      return void response.destroy();
    }
    if (fault === "hang") return;
    response.statusCode = answer.status;
    for (const [name, value] of answer.headers)
      if (name !== "set-cookie" && name !== "transfer-encoding") response.setHeader(name, value);
    response.setHeader("set-cookie", answer.headers.getSetCookie());
    response.flushHeaders();
    if (answer.body) for await (const part of answer.body) response.write(part);
    response.end();
  }

  /** A cookie that may go anywhere, and whether it came. */
  function thirdParty({ headers }: IncomingMessage, response: ServerResponse): void {
    if (headers.origin) {
      response.setHeader("access-control-allow-origin", headers.origin);
      response.setHeader("access-control-allow-credentials", "true");
    }
    response.setHeader("set-cookie", "third=1; SameSite=None; Secure; Path=/");
    response.end(headers.cookie?.includes("third=1") ? "seen" : "not seen");
  }

  /** The back end, which has checked a password: starts a session and hands on what it is given. */
  async function signIn(body: Buffer, response: ServerResponse): Promise<void> {
    const tokens = (await authority().api(
      "POST",
      "/v1/sessions",
      JSON.parse(body.toString()) as object,
    )) as { set_cookie?: string[] };
    if (tokens.set_cookie) response.setHeader("set-cookie", tokens.set_cookie);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(tokens));
  }

  /** A service: what the demo API says of the token, and if that is yes, the request's body back. */
  async function service(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ): Promise<void> {
    const { origin, authorization, dpop } = request.headers;
    if (origin) {
      response.setHeader("access-control-allow-origin", origin);
      response.setHeader("access-control-allow-headers", "authorization, content-type");
      response.setHeader("access-control-expose-headers", "www-authenticate");
    }
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    const one = note(request, body);
    const refuse = (challenge?: string) => {
      one.status = 401;
      if (challenge) response.setHeader("www-authenticate", challenge);
      response.writeHead(401).end("no");
    };
    if (request.url === "/api/business") return refuse();
    if (request.url === "/api/used-proof") return refuse('DPoP error="invalid_dpop_proof"');
    if (request.url === "/api/endless")
      return refuse('Bearer error="invalid_token", reason="expired"');
    // A proof is for this URL, which the demo API is not asked by: `bound.test.ts` looks at it itself.
    if (dpop) response.setHeader("x-proof", String(dpop));
    const headers: Record<string, string> = authorization ? { authorization } : {};
    const checked = dpop ? undefined : await fetch(`${authority().demo}/me`, { headers });
    if (checked?.ok === false) return refuse(checked.headers.get("www-authenticate") ?? "");
    one.status = 200;
    response.end(body);
  }
}

/** A page's own script, as an application's bundler makes it. */
async function bundle(path: string): Promise<Uint8Array> {
  const define = { "process.env.NODE_ENV": '"development"' };
  const entryPoints = [`./test/browser${path.replace(/\.js$/, "")}`];
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    format: "esm",
    write: false,
    define,
    target: "es2022",
  });
  return outputFiles[0]!.contents;
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
