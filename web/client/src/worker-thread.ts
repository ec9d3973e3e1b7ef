/** What runs in the worker of `@symbolon/client/worker`. */

import type { FromWorker, ToWorker } from "./worker.js";

/** The end of a line to a page. */
export interface Line {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

/**
 * Keeps the refresh token for the pages that connect. It is sent to this authority's `/oauth2/token` and
 * `/oauth2/revoke` alone, whatever a page asks for, and never to a page.
 *
 * In the worker's file: `onconnect = keepTokens("https://id.example.com")`.
 */
export function keepTokens(
  authority: string,
  send = (url: string, init: RequestInit) => fetch(url, init),
): (event: { readonly ports: readonly Line[] }) => void {
  let refresh: string | undefined;

  const ask = async (path: string, body: string) => {
    const form = new URLSearchParams(body);
    const shown = refresh;
    if (shown) form.set(path === "/oauth2/token" ? "refresh_token" : "token", shown);
    const answer = await send(authority + path, {
      method: "POST",
      body: form,
      redirect: "error",
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    const retryAfter = answer.headers.get("retry-after");
    if (path !== "/oauth2/token" || !answer.ok) return { status: answer.status, retryAfter, text };
    const { refresh_token, ...rest } = JSON.parse(text) as { refresh_token?: string };
    // An answer that comes after a sign-out, or after a newer one, keeps nothing.
    if (refresh_token && refresh === shown) refresh = refresh_token;
    return { status: answer.status, retryAfter, text: JSON.stringify(rest) };
  };

  const hear = (line: Line, said: ToWorker) => {
    switch (said.is) {
      case "keep":
        refresh = said.refresh;
        return;
      case "forget":
        refresh = undefined;
        return;
      case "send": {
        const { id, path } = said;
        if (path !== "/oauth2/token" && path !== "/oauth2/revoke") return line.postMessage({ id });
        ask(path, said.body).then(
          (answer) => line.postMessage({ id, answer }),
          () => line.postMessage({ id }),
        );
      }
    }
  };

  return ({ ports: [line] }) => {
    if (line) line.onmessage = ({ data }) => hear(line, data);
  };
}
