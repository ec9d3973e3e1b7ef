/** What is asked of the authority, and what its answers mean. */

import type { End } from "./machine.js";
import type { Held } from "./tokens.js";

/** The parameters of a call; those without a value are left out. */
export type Form = Readonly<Record<string, string | undefined>>;

/** What came of a renewal. */
export type Outcome =
  | { readonly is: "renewed"; readonly held: Held }
  | { readonly is: "denied"; readonly end?: End | undefined }
  | { readonly is: "failed"; readonly retryMs: number; readonly why?: string | undefined };

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
    // A refresh token goes to the authority, and to nobody to whom that points.
    redirect: "error",
    // Signing out goes on although the page is left.
    keepalive: true,
    signal: globalThis.AbortSignal?.timeout?.(ANSWER_MS_MAX) as AbortSignal,
  });
