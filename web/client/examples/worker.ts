/** The refresh token in a worker: scripts of the page can use the session, and not take it away. */

import { createClient, type Tokens } from "@symbolon/client";
import { inWorker } from "@symbolon/client/worker";

const authority = "https://id.example.com";
const worker = new SharedWorker(new URL("./worker-file.js", import.meta.url), { type: "module" });
const { storage, fetch, keep } = inWorker(worker, authority);

/** The application's client. */
export const client = createClient({ authority, clientId: "web", storage, fetch });

/** Takes what the back end's sign-in answered. */
export const signedIn = (tokens: Tokens): Promise<void> => client.signIn(keep(tokens));
