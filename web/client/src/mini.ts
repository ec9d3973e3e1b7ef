/**
 * Mini-programs and uni-app: `wx`, `uni`, and what takes and answers the same, in place of a browser. Alipay's `my` does not:
 * its storage takes objects, its answers have other names, and a refusal is a failure to it.
 */

import type { Client } from "./client.js";
import type { Storage } from "./storage.js";
import type { Answer } from "./challenge.js";

/** What is used of the host. */
export interface Host {
  request(options: {
    url: string;
    method?: string;
    data?: unknown;
    header?: Record<string, string>;
    timeout?: number;
    success(answer: HostAnswer): void;
    fail(why: { errMsg?: string }): void;
  }): unknown;
  getStorageSync(key: string): unknown;
  setStorageSync(key: string, value: unknown): void;
  removeStorageSync(key: string): void;
  onAppShow?(woke: () => void): void;
  offAppShow?(woke: () => void): void;
}

/** How a host answers. */
export interface HostAnswer {
  readonly statusCode: number;
  readonly data: unknown;
  readonly header: Readonly<Record<string, string>>;
}

/** A request as the host takes it. */
export interface HostRequest {
  readonly url: string;
  readonly method?: string;
  readonly data?: unknown;
  readonly header?: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

/** The part of `createClient`'s options that the host fills: `createClient({ …, ...mini(wx) })`. */
export function mini(
  host: Host,
  key = "symbolon",
): { readonly storage: Storage; readonly fetch: typeof fetch } {
  const storage: Storage = {
    load() {
      const kept = host.getStorageSync(key) as { refresh?: string; count?: number } | undefined;
      return kept?.refresh ? { refresh: kept.refresh, count: kept.count ?? 0 } : undefined;
    },
    save: (kept) => host.setStorageSync(key, kept),
    clear: () => host.removeStorageSync(key),
  };
  const send = async (url: unknown, init: RequestInit = {}) => {
    const { method = "GET", body: data } = init;
    const header = init.headers as Record<string, string>;
    return read(await ask(host, { url: String(url), method, data, header, timeout: 10_000 }));
  };
  return { storage, fetch: send as unknown as typeof fetch };
}

/** Sends a request by the host, with the token where it belongs. Rejects as the client's `fetch` does. */
export function request(client: Client, host: Host, options: HostRequest): Promise<HostAnswer> {
  // Without `URL` only what is plain is an origin; anything else is sent no token.
  const origin = /^(https?:\/\/[a-z0-9.-]+(?::\d+)?)(?:[/?#]|$)/.exec(options.url)?.[1] ?? "";
  const send = (authorization?: string) =>
    ask(host, {
      ...options,
      header: { ...options.header, ...(authorization && { authorization }) },
    });
  return client.rim.call(origin, send, read);
}

/** Tells the client when the app is shown again; returns what stops that. */
export function wakeBy(client: Client, host: Host): () => void {
  const woke = () => client.rim.tell({ is: "woke" });
  host.onAppShow?.(woke);
  return () => host.offAppShow?.(woke);
}

const ask = (host: Host, options: HostRequest): Promise<HostAnswer> =>
  new Promise((success, reject) => {
    host.request({
      ...options,
      header: { ...options.header },
      success,
      fail: ({ errMsg }) => reject(new TypeError(errMsg ?? "The request failed.")),
    });
  });

/** The shape of a `Response`, as far as it is looked at. Hosts differ in the case of header names. */
const read = ({ statusCode: status, header, data }: HostAnswer): Answer & { ok: boolean } => ({
  status,
  ok: status < 400,
  headers: {
    get: (name) => Object.entries(header).find(([own]) => own.toLowerCase() === name)?.[1] ?? null,
  },
  json: async () => (typeof data === "string" ? (JSON.parse(data) as unknown) : data),
});
