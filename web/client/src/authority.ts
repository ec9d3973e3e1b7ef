/** What is asked of the authority, and what its answers mean. */

import type { Answer } from "./challenge.js";
import type { Tokens } from "./tokens.js";

/** The parameters of a call; those without a value are left out. */
export type Form = Readonly<Record<string, string | undefined>>;

/** What came of a renewal. */
export type Outcome =
  | { readonly is: "renewed"; readonly tokens: Tokens }
  | { readonly is: "denied"; readonly reason?: string | undefined }
  | { readonly is: "failed"; readonly retryMs: number }
  | { readonly is: "misconfigured"; readonly why: string };

/** How long an answer is waited for. */
export const ANSWER_MS_MAX = 10_000;

/** Sends a form. */
export const post = (send: typeof fetch, url: string, form: Form): Promise<Response> =>
  send(url, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: Object.entries(form)
      .flatMap(([name, value]) => (value ? `${name}=${encodeURIComponent(value)}` : []))
      .join("&"),
    // Signing out goes on although the page is left.
    keepalive: true,
    signal: globalThis.AbortSignal?.timeout?.(ANSWER_MS_MAX) ?? null,
  });

/** Reads the answer to a renewal (RFC 6749 §5). Whatever is not understood says nothing of the session. */
export async function outcomeOf(answer: Answer): Promise<Outcome> {
  const body = (await answer.json()) as Tokens & {
    error?: string;
    error_description?: string;
    reason?: string;
  };
  const { error, reason } = body;
  if (body.access_token) return { is: "renewed", tokens: body };
  // A client that is switched off comes back, and its sessions with it (docs/DESIGN.md §4.1).
  if (error === "invalid_grant" && reason !== "client_disabled") return { is: "denied", reason };
  if (error && !reason && answer.status < 429)
    return { is: "misconfigured", why: `${error}: ${body.error_description}` };
  return { is: "failed", retryMs: +(answer.headers.get("retry-after") ?? 0) * 1000 };
}
