/** `fetch`, with the token where it belongs. */

import type { Rim } from "./client.js";

/**
 * Makes it. As by the platform's, what is sent is taken as it is when this is called; and it is kept until the answer is
 * there, so that it can be sent again, to the byte.
 */
export const fetchOf =
  ({ call, options, trouble }: Pick<Rim, "call" | "options" | "trouble">): typeof fetch =>
  async (input, init) => {
    const body = init?.body;
    // A stream is gone once it was sent: refused before that.
    if ((body as ReadableStream | null | undefined)?.getReader) (await trouble).refuseStream();
    // A text cannot change, and a `Request` is dear.
    const mayChange = (body && typeof body !== "string") || input instanceof Request;
    const kept = mayChange ? new Request(input, init) : undefined;
    const headers = new Headers((kept ?? init)?.headers);
    const rest = { ...(!kept && init) };
    const { href, origin } = new URL(
      kept?.url ?? (input as string),
      globalThis.document?.baseURI ?? globalThis.location?.href,
    );
    const send = (authorization?: string) => {
      if (authorization) headers.set("authorization", authorization);
      return (options.fetch ?? fetch)(kept?.clone() ?? href, { ...rest, headers });
    };
    return call(origin, send, (answer) => (options.classify ? answer.clone() : answer));
  };
