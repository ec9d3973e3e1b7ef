/** A real authority with its demo API, on this machine. */

import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import {
  bounded,
  connect,
  Rejected,
  type Options,
  type Policy,
  type Presented,
  type Verified,
  type Verifier,
} from "../../src/index.js";

/** The binary; `./scripts/test` names the one that it has built. */
const BINARY = process.env["AUTHORITY_BINARY"] ?? "../../target/debug/symbolon";

/** What opens the tokens of the audience `sealed-api`, and the half of it that the authority knows. */
const PAIR = generateKeyPairSync("ec", { namedCurve: "P-256" });
const SEALED = { ...PAIR.publicKey.export({ format: "jwk" }), kid: "sealed" };
export const OPENS = JSON.stringify({
  ...PAIR.privateKey.export({ format: "jwk" }),
  kid: "sealed",
});

/** An authority that runs, and a back end's way to it. */
export interface Authority {
  readonly url: string;
  readonly demo: string;
  readonly apiKey: string;
  /** Calls it with its API key. */
  api(method: string, path: string, body?: object): Promise<Answer>;
  /** Somebody signs in; answers the access token and the session. */
  signIn(subject: string, other?: object): Promise<SignedIn>;
  /** A verifier of the demo API's audience that follows the feed. */
  verifier(other?: Partial<Options>): Promise<Verifier>;
  /** Stops it without a word, and starts it again on the same ports and data. */
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** Any JSON object. */
export type Answer = Readonly<Record<string, unknown>>;

export interface SignedIn {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Starts one whose clients are one for each kind of token. */
export async function startAuthority(): Promise<Authority> {
  const data = mkdtempSync(join(tmpdir(), "authority-"));
  const [port, demoPort, metrics] = [await freePort(), await freePort(), await freePort()];
  const [url, demo] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${demoPort}`];
  const file = join(data, "authority.toml");
  const client = `origins = []\naudience = ["demo-api"]\nscope = "orders:read"\n`;
  writeFileSync(
    file,
    `issuer = "${url}"\nlisten = "127.0.0.1:${port}"\nmetrics_listen = "127.0.0.1:${metrics}"\n` +
      `store = "sqlite:${join(data, "authority.db")}"\n[[audiences]]\nname = "demo-api"\n` +
      `[[audiences]]\nname = "other-api"\n[[audiences]]\nname = "once-api"\none_use = true\n` +
      `[[audiences]]\nname = "sealed-api"\nencrypt = { jwk = '${JSON.stringify(SEALED)}' }\n` +
      `[[clients]]\nclient_id = "web"\n${client}` +
      `[[clients]]\nclient_id = "other"\n${client.replace("demo-api", "other-api")}` +
      `[[clients]]\nclient_id = "sealed"\n${client.replace("demo-api", "sealed-api")}` +
      `[[clients]]\nclient_id = "bound"\n${client}binding = { key = "enforce" }\n` +
      `[[clients]]\nclient_id = "thin"\n${client}access_token = { claims = "thin" }\n` +
      `[[clients]]\nclient_id = "featured"\n${client}binding = { features = "enforce" }\n` +
      `[[clients]]\nclient_id = "placed"\n${client}binding = { network = "enforce" }\n` +
      `[[clients]]\nclient_id = "watched"\n${client}binding = { features = "report", network = "report" }\n` +
      `[[clients]]\nclient_id = "once"\n${client.replace("demo-api", "once-api")}` +
      `[[clients]]\nclient_id = "opaque"\npreset = "opaque-session"\n${client}` +
      `[[clients]]\nclient_id = "sliding"\npreset = "sliding-session"\n${client}`,
  );
  const args = ["dev", "--json", "--config", file, "--data", data];
  args.push("--listen", `127.0.0.1:${port}`, "--demo-listen", `127.0.0.1:${demoPort}`);
  let apiKey = "";
  let child = await run();

  async function run() {
    const stderr = process.env["AUTHORITY_LOG"] ? "inherit" : "ignore";
    const child = spawn(BINARY, args, { stdio: ["ignore", "pipe", stderr] });
    // However these tests end.
    process.once("exit", () => child.kill("SIGKILL"));
    const [line] = (await Promise.race([
      once(createInterface(child.stdout), "line"),
      once(child, "exit").then(() => Promise.reject(new Error(`${BINARY} did not start`))),
    ])) as [string];
    apiKey = (JSON.parse(line) as { api_key: string }).api_key;
    return child;
  }

  const stop = async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };

  const authority: Authority = {
    url,
    demo,
    get apiKey() {
      return apiKey;
    },
    async api(method, path, body) {
      const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
      const init = { method, headers, body: body ? JSON.stringify(body) : null };
      const answer = await fetch(url + path, init);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return (text ? JSON.parse(text) : {}) as Answer;
    },
    async signIn(subject, other = {}) {
      const body = { subject, client_id: "web", device: { class: "web" }, ...other };
      return (await authority.api("POST", "/v1/sessions", body)) as unknown as SignedIn;
    },
    verifier: (other) =>
      connect({
        issuer: url,
        audience: "demo-api",
        feed: { apiKey },
        maxStalenessMs: 60_000,
        ...other,
      }),
    async restart() {
      await stop();
      child = await run();
    },
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    async stop() {
      child.kill("SIGCONT");
      await stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
  return authority;
}

/** With what word a token is rejected without asking anyone, and why its session ended; `in` if it is let in. */
export function verdict(verifier: Verifier, token: string, policy: Policy = PATIENT): string {
  try {
    verifier.check(token, policy);
    return "in";
  } catch (why) {
    return wordOf(why);
  }
}

/** A bound that no busy machine reaches. */
const PATIENT = bounded(60_000);

/** Asks for as long as a busy machine may take to answer. */
export async function admitted(
  verifier: Verifier,
  shown: Presented | string,
  policy: Policy = PATIENT,
): Promise<Verified> {
  const end = performance.now() + 20_000;
  for (;;) {
    try {
      return await verifier.admit(shown, policy);
    } catch (why) {
      const isLate =
        why instanceof Rejected &&
        why.refusal.is === "unverifiable" &&
        why.refusal.what === "session";
      if (!isLate || end < performance.now()) throw why;
    }
  }
}

/** With what word a token is rejected where the authority is asked. */
export const asked = (verifier: Verifier, token: string, policy?: Policy): Promise<string> =>
  admitted(verifier, token, policy).then(() => "in", wordOf);

function wordOf(why: unknown): string {
  if (!(why instanceof Rejected)) throw why;
  return why.refusal.is + (why.ended ? ` ${why.ended}` : "");
}

/** Waits until it is so, thirty seconds at the most; answers how long that took, in milliseconds. */
export async function until(is: () => boolean | Promise<boolean>, what: string): Promise<number> {
  const begun = performance.now();
  while (!(await is())) {
    if (performance.now() - begun > 30_000) throw new Error(`it never came to be that ${what}`);
    await pause(2);
  }
  return performance.now() - begun;
}
