/** The rim of the machine: sees, tells it, and does what it says. */

import { attempt, type Call } from "./attempt.js";
import { type Form, type Outcome, outcomeOf, post } from "./authority.js";
import type { AxiosConfig, AxiosLike } from "./axios.js";
import { stopwatch } from "./clock.js";
import { Misconfigured, SessionEnded, Unavailable } from "./errors.js";
import { fetchOf, refuseStream } from "./fetch.js";
import { type Effect, type End, endsAt, type Event, initial, next, type Phase, ready, usable, waits } from "./machine.js";
import type { Options, Told } from "./options.js";
import { cookie, type Kept } from "./storage.js";
import { HEAR_MS_MAX, type Message, openTabs, pause } from "./tabs.js";
import { heldOf, type Tokens } from "./tokens.js";
import { isVisible, onWake } from "./wake.js";

/** The most requests that wait for a token. Inclusive; further ones are refused as unavailable. */
const WAITING_MAX = 1000;

/** The first wait after a failure, and the longest. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;

/** What a page may know of its session. A new object whenever something of it changed, and only then. */
export interface Session {
  readonly phase: Phase;
  readonly sid?: string | undefined;
  /** Why it is over, if it is. */
  readonly end?: End | undefined;
}

/** A client of one authority. */
export interface Client {
  /** As the platform's, with the token where it belongs, renewed when that is due. */
  readonly fetch: typeof fetch;
  /** Gives an axios instance the same; returns what takes it away again. */
  axios(instance: AxiosLike): () => void;
  /** The access token, renewed if that is due; `undefined` if nobody is signed in. */
  token(): Promise<string | undefined>;
  /** Takes the tokens of a sign-in; without any, the refresh token is in a cookie already. */
  signIn(tokens?: Tokens): Promise<void>;
  /** Signs out, in all tabs at once. Rejects as `Unavailable` if the authority could not be told. */
  signOut(): Promise<void>;
  /** Tells of what happens; returns what stops it. */
  on<Name extends keyof Told>(name: Name, listener: (told: Told[Name]) => void): () => void;
  /** Tells that `session` is another one; returns what stops it. */
  subscribe(listener: () => void): () => void;
  readonly session: Session;
  /** Settles once it is known whether somebody is signed in. */
  readonly ready: Promise<void>;
  /** Leaves; the last of those who created the client takes it down. */
  dispose(): void;
  /** For adapters. */
  readonly rim: Rim;
}

/** What adapters are made with. */
export interface Rim {
  readonly options: Options;
  readonly call: Call;
  /** What to do when the client is taken down. */
  onStop(act: () => void): void;
  /** A token for the authority itself, or for another audience of the client (RFC 8707). */
  tokenFor(resource: string): Promise<Outcome>;
  tell(event: Event): void;
  emit<Name extends keyof Told>(name: Name, told: Told[Name]): void;
}

/** A request that waits for a token. */
interface Waiting {
  readonly since: number;
  done(tokens: Tokens | undefined): void;
  fail(why: Error): void;
}

/** Starts one; `createClient` sees to it that there is one only. */
export function start(options: Options, dispose: () => void): readonly [Client, stop: () => void] {
  const { authority, clientId } = options;
  const storage = options.storage ?? cookie;
  const clock = stopwatch();
  const listeners = new Map<string, Set<(told: never) => void>>();
  const waiting = new Set<Waiting>();
  let state = initial;
  let session: Session = state;
  let holding = false;
  let timer: ReturnType<typeof setTimeout>;
  let revoked: Promise<void>;
  let settle: () => void;
  const settled = new Promise<void>((done) => (settle = done));

  const emit = (name: string, told?: unknown) => {
    for (const listener of listeners.get(name) ?? []) (listener as (told: unknown) => void)(told);
  };

  const on = (name: string, listener: (told: never) => void) => {
    const set = listeners.get(name) ?? new Set();
    listeners.set(name, set.add(listener));
    return () => void set.delete(listener);
  };

  const dispatch = (event: Event) => {
    const before = session.sid;
    const [to, effects] = next(state, event, clock());
    const { phase, held, end } = (state = to);
    for (const effect of effects) perform(effect, before);
    if (state !== to) return;
    const sid = held?.tokens.session_id;
    if (phase !== "restoring") settle();
    flush();
    if (session.phase === phase && before === sid) return;
    session = { phase, sid, end };
    emit("");
  };

  const perform = ([what, about]: Effect, sid: string | undefined) => {
    switch (what) {
      case "renew":
        return void renew(state.flight);
      case "wake":
        clearTimeout(timer);
        // A page that nobody looks at is not kept alive by a timer.
        timer = setTimeout(() => (state.failures || isVisible()) && dispatch({ is: "woke" }), Math.min(about, 2 ** 31 - 1));
        return;
      case "share":
        return share(about, sid);
      case "revoke":
        revoked = tell("revoke", { token: about }).then(({ ok }) => ok || Promise.reject()).then(
          () => {},
          () => Promise.reject(new Unavailable("The authority was not told of the sign-out.")),
        );
        // Whoever does not look at it misses nothing.
        revoked.catch(() => {});
        return;
      case "emit":
        emit(about, state.end ?? (about === "ending-soon" ? { inMs: endsAt(state.held!) - clock() } : undefined));
        if (state.end) hold(state.end);
    }
  };

  /** Lets requests go on that need not wait any longer, one way or the other. */
  const flush = () => {
    const { held, end, why } = state;
    const patience = clock() - (options.patience ?? 30_000);
    for (const one of waiting) {
      if (waits(state) ? !state.failures || one.since > patience : holding) continue;
      waiting.delete(one);
      if (end) one.fail(new SessionEnded(end));
      else if (why) one.fail(new Misconfigured(why));
      else if (waits(state)) one.fail(new Unavailable("The authority does not answer."));
      else one.done(held?.tokens);
    }
  };

  const share = (is: "signed-in" | "renewed" | "ended" | "signed-out", sid?: string) => {
    const { held, end } = state;
    const { refresh_token: refresh } = held?.tokens ?? {};
    if (end) storage.clear?.();
    else if (refresh) storage.save?.({ refresh, count: held!.count });
    tabs.post(
      is === "ended" ? { is, sid, end: end! }
      : is === "signed-out" ? { is }
      : { is, held: { ...held!, at: clock() - held!.at }, sentAt: Date.now() },
    );
  };

  const hear = (message: Message) => {
    if (message.is === "hello") {
      const { held } = state;
      if (ready(state, clock())) tabs.post({ is: "renewed", held: { ...held!, at: clock() - held!.at }, sentAt: Date.now() });
    } else if ("held" in message) {
      // What a page that slept finds in its queue is as old as that.
      const held = { ...message.held, at: clock() - message.held.at - Math.max(Date.now() - message.sentAt, 0) };
      dispatch(message.is === "signed-in" ? { is: message.is, held, elsewhere: true } : { is: "adopted", held });
    } else if (message.is === "signed-out") dispatch({ is: message.is, elsewhere: true });
    else if (message.sid === session.sid) dispatch({ is: "told-ended", end: message.end, elsewhere: true });
  };

  const tabs = openTabs(`symbolon ${authority} ${clientId}`, hear);

  /** Calls the authority. */
  const tell = (path: string, form: Form) =>
    post(options.fetch ?? fetch, `${authority}/oauth2/${path}`, { client_id: clientId, ...form });

  /** Asks it for tokens. */
  const ask = async (kept: Kept | undefined, resource?: string): Promise<Outcome> => {
    try {
      return await outcomeOf(await tell("token", { grant_type: "refresh_token", refresh_token: kept?.refresh, resource }));
    } catch {
      return { is: "failed", retryMs: 0 };
    }
  };

  const load = async (): Promise<Kept | undefined> => {
    const refresh = state.held?.tokens.refresh_token;
    return storage.load ? storage.load() : refresh ? { refresh, count: 0 } : undefined;
  };

  const renew = (flight: number) =>
    tabs.turn(async (queued) => {
      if (queued || state.phase === "restoring" || !(storage.hidden || storage.load)) {
        tabs.post({ is: "hello" });
        for (const until = clock() + HEAR_MS_MAX; clock() < until && state.flight === flight; ) await pause(5);
      }
      if (state.flight !== flight) return;
      const kept = await load();
      const outcome: Outcome = kept || storage.hidden ? await ask(kept) : { is: "denied" };
      // What is said of a refresh token that another tab replaced meanwhile says nothing.
      const isOld = outcome.is === "denied" && (await load())?.refresh !== kept?.refresh;
      dispatch(seen(isOld ? { is: "failed", retryMs: 0 } : outcome, flight, kept?.count ?? 0));
    });

  const seen = (outcome: Outcome, flight: number, count: number): Event => {
    const newest = Math.max(count, state.held?.count ?? 0) + 1;
    if (outcome.is === "renewed") return { is: outcome.is, flight, held: heldOf(outcome.tokens, clock(), Math.random(), newest) };
    if (outcome.is !== "failed") return { ...outcome, flight };
    const backOff = Math.min(RETRY_MS * 2 ** state.failures, RETRY_MS_MAX) * (0.5 + Math.random() / 2);
    return { ...outcome, flight, retryMs: Math.max(outcome.retryMs, backOff) };
  };

  /** Gives the page the time to sign in again, while requests wait. */
  const hold = async (end: End) => {
    holding = !!options.onSessionEnded;
    try {
      const tokens = await options.onSessionEnded?.(end);
      if (tokens) await signIn(tokens);
    } finally {
      holding = false;
      flush();
    }
  };

  const signIn = async (tokens?: Tokens) => {
    dispatch(tokens ? { is: "signed-in", held: heldOf(tokens, clock(), Math.random(), 0) } : { is: "restore" });
    await take();
  };

  /** The tokens to send a request with; waits if it must. */
  const take = async (): Promise<Tokens | undefined> => {
    const since = clock();
    if (!ready(state, since)) dispatch({ is: "asked" });
    const held = usable(state, since);
    if (held) return held.tokens;
    if (!holding && !waits(state)) {
      if (state.end && state.phase !== "signed-out") throw new SessionEnded(state.end);
      return undefined;
    }
    if (waiting.size >= WAITING_MAX) throw new Unavailable("Too many requests wait.");
    return new Promise((done, fail) => {
      waiting.add({ done, fail, since });
      flush();
    });
  };

  const call = attempt(options, take, dispatch, emit, clock);
  const stops = [onWake(() => dispatch({ is: "woke" })), () => clearTimeout(timer), tabs.close];
  dispatch({ is: "restore" });

  const client: Client = {
    fetch: fetchOf(call, options),
    axios(instance) {
      const { adapter } = instance.defaults;
      instance.defaults.adapter = async (config: AxiosConfig) => {
        refuseStream(config.data);
        return (await import("./axios.js")).through(call, instance, adapter, config);
      };
      return () => (instance.defaults.adapter = adapter);
    },
    token: async () => (await take())?.access_token,
    signIn,
    signOut: () => (dispatch({ is: "signed-out" }), revoked),
    on,
    subscribe: (listener) => on("", listener),
    get session() {
      return session;
    },
    ready: settled,
    dispose,
    rim: {
      options,
      call,
      onStop: (act) => stops.push(act),
      async tokenFor(resource) {
        let outcome: Outcome = { is: "failed", retryMs: 0 };
        await tabs.turn(async () => {
          const kept = await load();
          outcome = await ask(kept, resource);
          if (outcome.is === "renewed") dispatch({ is: "rotated", from: kept?.refresh, to: outcome.tokens.refresh_token });
        });
        return outcome;
      },
      tell: dispatch,
      emit,
    },
  };
  return [client, () => stops.forEach((stop) => stop())];
}
