/** What happens to the session as it happens: `GET /v1/me/events`, heard by one tab for all. */

import type { Outcome } from "./authority.js";
import type { Client, Rim } from "./client.js";
import type { End } from "./machine.js";
import { frames } from "./frames.js";
import { pause } from "./tabs.js";

/** The first wait before the stream is asked for again, and the longest. */
const AGAIN_MS = 1000;
const AGAIN_MS_MAX = 60_000;

/** A frame's data, as far as it is used. */
interface Said {
  readonly effect?: string;
  readonly session_id?: string;
  readonly reason?: string;
  readonly note?: string;
  readonly expires_in?: number;
}

/**
 * Listens for as long as somebody is signed in; returns what stops it. The page is told of an end within a network's
 * delay, with the device that displaced it, and a change of roles is renewed in silence.
 *
 * One tab listens at a time, where the platform has locks, since a session may hold eight such streams.
 */
export function listen(client: Client): () => void {
  const stop = new AbortController();
  const { options } = client.rim;
  void client.rim.trouble.then(({ onStop }) => onStop(() => stop.abort()));
  const name = `symbolon events ${options.authority} ${options.clientId}`;
  const work = () => follow(client, stop.signal);
  const locks = globalThis.navigator?.locks;
  void (locks ? locks.request(name, { signal: stop.signal }, work) : work()).catch(() => {});
  return () => stop.abort();
}

async function follow(client: Client, signal: AbortSignal): Promise<void> {
  for (let wait = AGAIN_MS; !signal.aborted;) {
    await signedIn(client, signal);
    if (signal.aborted) return;
    const began = performance.now();
    await stream(client, signal).catch(() => {});
    wait = performance.now() - began > AGAIN_MS_MAX ? AGAIN_MS : Math.min(wait * 2, AGAIN_MS_MAX);
    if (client.session.sid) await pause(wait * (0.5 + Math.random() / 2));
  }
}

/** Waits until somebody is signed in. */
function signedIn(client: Client, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const look = () => {
      if (!client.session.sid && !signal.aborted) return;
      off();
      done();
    };
    const off = client.subscribe(look);
    signal.addEventListener("abort", look, { once: true });
    look();
  });
}

async function stream(client: Client, signal: AbortSignal): Promise<void> {
  const { options, tell, emit } = client.rim;
  const { sid } = client.session;
  const outcome = await tokenFor(client.rim, options.issuer ?? options.authority);
  if (outcome.is === "denied") tell({ is: "over", sid, end: outcome.end ?? { reason: "unknown" } });
  if (outcome.is !== "renewed" || signal.aborted) return;
  const { access_token, token_type = "Bearer" } = outcome.held.tokens;
  const headers = { accept: "text/event-stream", authorization: `${token_type} ${access_token}` };
  const leave = new AbortController();
  const off = client.subscribe(() => client.session.sid === sid || leave.abort());
  const stop = () => leave.abort();
  signal.addEventListener("abort", stop);
  try {
    const answer = await (options.fetch ?? fetch)(`${options.authority}/v1/me/events`, {
      headers,
      redirect: "error",
      signal: leave.signal,
    });
    if (!answer.ok || !answer.body) return;
    let device: string | undefined;
    for await (const [event, data] of frames(answer.body)) {
      if (client.session.sid !== sid) return;
      const said = JSON.parse(data) as Said;
      if (event === "ending")
        emit({
          "ending-soon": {
            // As the authority counts: this clock may be wrong.
            inMs: said.expires_in! * 1000,
            ...(said.reason && { reason: said.reason }),
          },
        });
      if (
        event === "event" &&
        said.effect === "stale" &&
        (!said.session_id || said.session_id === sid)
      )
        tell({ is: "spent", stale: true });
      if (event === "event" && said.session_id === sid) device = said.note;
      if (event === "ended") tell({ is: "over", sid, end: endOf(said, device) });
    }
  } finally {
    off();
    signal.removeEventListener("abort", stop);
    leave.abort();
  }
}

/** A token for the authority itself. Where the refresh token was replaced with it, that is everybody's now. */
const tokenFor = (rim: Rim, resource: string): Promise<Outcome> =>
  new Promise((done) =>
    rim.turn(async () => {
      const outcome = await rim.ask(resource);
      const now = rim.state.held;
      if (outcome.is === "renewed" && now) {
        const { tokens, count } = outcome.held;
        const { refresh_token = now.tokens.refresh_token, session_id } = tokens;
        const own = { ...now.tokens, session_id, ...(refresh_token && { refresh_token }) };
        rim.tell({ is: "adopted", held: { ...now, tokens: own, count } });
      }
      done(outcome);
    }),
  );

const endOf = ({ reason = "unknown" }: Said, device: string | undefined): End => ({
  reason,
  ...(device && { device }),
});
