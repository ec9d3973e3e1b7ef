/** axios, with the token where it belongs. It is not imported: an instance of axios 1 is all that is needed. */

import type { Rim } from "./client.js";

/** What is used of an instance. */
export interface AxiosLike {
  readonly defaults: { adapter?: unknown };
  create(): { request(config: object): Promise<unknown> };
  getUri(config: object): string;
}

interface AxiosAnswer {
  readonly status: number;
  readonly headers: object;
  readonly data: unknown;
}

/** What is used of a request's settings. */
export interface AxiosConfig {
  readonly data?: unknown;
  readonly headers: { set(name: string, value: string): unknown };
}

/**
 * Sends a request from below the instance's interceptors and transformations: they see one request and one answer,
 * and a request that is sent again has the very bytes of the first (axios#6454).
 */
export async function through(
  { call, trouble }: Rim,
  instance: AxiosLike,
  adapter: unknown,
  config: AxiosConfig,
): Promise<unknown> {
  // Not asked of `fetch.ts`, which is in the core.
  if ((config.data as ReadableStream | null | undefined)?.getReader) (await trouble).refuseStream();
  const asIs = [(data: unknown) => data];
  const bare = instance.create();
  const send = async (authorization?: string) => {
    if (authorization) config.headers.set("authorization", authorization);
    const request = bare.request({
      ...config,
      adapter,
      transformRequest: asIs,
      transformResponse: asIs,
    });
    try {
      const answer = (await request) as AxiosAnswer;
      return { answer, give: () => answer };
    } catch (why) {
      const { response } = why as { response?: AxiosAnswer };
      if (!response) throw why;
      const give = () => {
        throw why;
      };
      return { answer: response, give };
    }
  };
  const { give } = await call(
    new URL(instance.getUri(config), globalThis.document?.baseURI ?? globalThis.location?.href)
      .origin,
    send,
    ({ answer: { status, headers, data } }) => ({
      status,
      headers: { get: (name) => (headers as Record<string, string>)[name] ?? null },
      json: async () => (typeof data === "string" ? JSON.parse(data) : data) as unknown,
    }),
  );
  return give();
}
