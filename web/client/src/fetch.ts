/** `fetch`, with the token where it belongs. */

import type { Call } from "./attempt.js";
import type { Options } from "./options.js";

/** Makes it. What it is called with is kept until the answer is there, so that it can be sent again, to the byte. */
export const fetchOf =
  (call: Call, options: Options): typeof fetch =>
  async (input, init) => {
    const request = input instanceof Request ? input : undefined;
    refuseStream(init?.body);
    const send = (authorization?: string) => {
      const headers = new Headers(init?.headers ?? request?.headers);
      if (authorization) headers.set("authorization", authorization);
      return (options.fetch ?? fetch)(request ? request.clone() : input, { ...init, headers });
    };
    return call(originOf(request?.url ?? input), send, (answer) =>
      options.classify ? answer.clone() : answer,
    );
  };

/** Where a request goes. */
export const originOf = (url: unknown): string =>
  new URL(String(url), globalThis.location?.href).origin;

/** Refuses a stream before anything of it is sent: it is gone then, and the request may have to be sent again. */
export function refuseStream(body: unknown): void {
  if (body instanceof ReadableStream)
    throw new TypeError("A stream cannot be sent again; send a Blob, a string or a buffer.");
}
