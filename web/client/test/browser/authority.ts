/** A real authority with its demo API, on this machine. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { withUs } from "./programs.js";

/** The binary; `./scripts/test` names the one that it has built. */
const BINARY = process.env["AUTHORITY_BINARY"] ?? "../../target/debug/symbolon";

/** An authority that runs, and a back end's way to it. */
export interface Authority {
  readonly url: string;
  readonly demo: string;
  /** Calls it with its API key. */
  api(method: string, path: string, body?: object): Promise<unknown>;
  /** Stops it, and starts it again on the same ports and data. */
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Starts one that knows the pages of these origins: client `web` with cookies, `spa` with tokens of four seconds. */
export async function startAuthority(origins: readonly string[]): Promise<Authority> {
  const data = mkdtempSync(join(tmpdir(), "authority-"));
  const [port, demoPort, metrics] = [await freePort(), await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const file = join(data, "authority.toml");
  const listed = JSON.stringify(origins);
  const client = `origins = ${listed}\naudience = ["demo-api"]\nscope = "orders:read"\ndevices = { per_subject = 100 }\n`;
  writeFileSync(
    file,
    `issuer = "${url}"\nlisten = "127.0.0.1:${port}"\nmetrics_listen = "127.0.0.1:${metrics}"\n` +
      `store = "sqlite:${join(data, "authority.db")}"\n[[audiences]]\nname = "demo-api"\n` +
      `[[clients]]\nclient_id = "web"\ndelivery = "cookie"\n${client}` +
      `[[clients]]\nclient_id = "spa"\n${client}access_token = { ttl = "4s" }\nrefresh = { grace = "2s" }\n` +
      `[[clients]]\nclient_id = "app"\n${client}` +
      `[[clients]]\nclient_id = "twenty"\n${client}access_token = { ttl = "20s" }\n` +
      `[[clients]]\nclient_id = "bound"\n${client}access_token = { ttl = "4s" }\nrefresh = { grace = "2s" }\nbinding = { key = "enforce" }\n` +
      `[[clients]]\nclient_id = "brief"\n${client}access_token = { ttl = "20s" }\nrefresh = { idle = "100s" }\n` +
      `[[clients]]\nclient_id = "one"\n${client.replace("100", "1")}`,
  );
  const args = [
    "dev",
    "--json",
    "--config",
    file,
    "--data",
    data,
    "--listen",
    `127.0.0.1:${port}`,
    "--demo-listen",
    `127.0.0.1:${demoPort}`,
  ];
  let key = "";
  let child = await run();

  async function run() {
    const log = process.env["AUTHORITY_LOG"] ? "inherit" : "ignore";
    const child = withUs(spawn(BINARY, args, { stdio: ["ignore", "pipe", log] }));
    const [line] = (await Promise.race([
      once(createInterface(child.stdout), "line"),
      once(child, "exit").then(() => Promise.reject(new Error(`${BINARY} did not start`))),
    ])) as [string];
    key = (JSON.parse(line) as { api_key: string }).api_key;
    return child;
  }

  const stop = async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };

  return {
    url,
    demo: `http://127.0.0.1:${demoPort}`,
    async api(method, path, body) {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      const answer = await fetch(url + path, {
        method,
        headers,
        body: body ? JSON.stringify(body) : null,
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text ? JSON.parse(text) : undefined;
    },
    async restart() {
      await stop();
      child = await run();
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async stop() {
      await stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
