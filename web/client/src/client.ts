/** The rim of the machine: sees, tells it, and does what it says. */

import { attempt, type Call } from "./attempt.js";
import { type Form, type Outcome, outcomeOf, post } from "./authority.js";
import type { AxiosConfig, AxiosLike } from "./axios.js";
import { stopwatch } from "./clock.js";
import { Misconfigured, SessionEnded, Unavailable } from "./errors.js";
import { fetchOf, refuseStream } from "./fetch.js";
import {
  type Effect,
  type End,
  endsAt,
  type Event,
  initial,
  next,
  type Phase,
  ready,
  usable,
  waits,
} from "./machine.js";
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
  /** Asks for a token that is for another audience, or for the authority itself (RFC 8707), when it is this tab's turn. */
  tokenFor(resource: string): Promise<Outcome>;
  tell(event: Event): void;
  emit<Name extends keyof Told>(name: Name, told: Told[Name]): void;
}

/** Starts one; `createClient` sees to it that there is one only. */
export function start(options: Options, dispose: () => void): readonly [Client, stop: () => void] {
  const { authority, clientId, storage = cookie } = options;
  const clock = stopwatch();
  const listeners = new Set<readonly [name: string, listener: (told: never) => void]>();
  let state = initial;
  let session: Session = state;
  let waiting = 0;
  let holding = false;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout>;
  let revoked = Promise.resolve();

  const emit = (name: string, told?: unknown) => {
    for (const [own, listener] of listeners)
      if (own === name) (listener as (told: unknown) => void)(told);
  };

  const on = (name: string, listener: (told: never) => void) => {
    const one = [name, listener] as const;
    listeners.add(one);
    return () => void listeners.delete(one);
  };

  /** Settles when something has changed. */
  const change = () =>
    new Promise<void>((done) => {
      const off = on("", () => (off(), done()));
    });

  const dispatch = (event: Event) => {
    const { sid } = session;
    const before = state;
    const [to, effects] = next(state, event, clock());
    const { phase, held, end } = (state = to);
    if (session.phase !== phase || sid !== held?.tokens.session_id)
      session = { phase, sid: held?.tokens.session_id, end };
    for (const effect of effects) perform(effect, sid);
    // Else requests that wait would wake each other for ever.
    if (to !== before) emit("");
  };

  const perform = ([what, about]: Effect, sid: string | undefined) => {
    const { held, end, flight } = state;
    switch (what) {
      case "renew":
        return void tabs.turn((queued) => renew(flight, queued));
      case "wake":
        clearTimeout(timer);
        if (stopped) return;
        // A page that nobody looks at is not kept alive by a timer.
        timer = setTimeout(
          () => (state.failures || isVisible()) && dispatch({ is: "woke" }),
          Math.min(about, 2 ** 31 - 1),
        );
        return;
      case "share":
        if (end) storage.clear?.();
        else if (held!.tokens.refresh_token)
          storage.save?.({ refresh: held!.tokens.refresh_token, count: held!.count });
        return tabs.post(
          end
            ? { is: about === "ended" ? about : "signed-out", sid, end }
            : news(about === "signed-in" ? about : "renewed"),
        );
      case "revoke":
        if (about || storage.hidden) revoked = revoke(about);
        // Whoever does not look at it misses nothing.
        return void revoked.catch(() => {});
      case "emit":
        emit(
          about,
          end ?? (about === "ending-soon" ? { inMs: endsAt(held!) - clock() } : undefined),
        );
        if (end) void hold(end);
    }
  };

  const revoke = async (token: string | undefined) => {
    const answer = await tell("revoke", { token }).catch(() => undefined);
    if (!answer?.ok) throw new Unavailable("The authority was not told.");
  };

  /** What is held, for pages with other clocks. */
  const news = (is: "signed-in" | "renewed"): Message => {
    const held = state.held!;
    return { is, held: { ...held, at: clock() - held.at }, sentAt: Date.now() };
  };

  const hear = (message: Message) => {
    if (message.is === "hello") {
      if (ready(state, clock())) tabs.post(news("renewed"));
    } else if ("held" in message) {
      // What a page that slept finds in its queue is as old as that.
      const at = clock() - message.held.at - Math.max(Date.now() - message.sentAt, 0);
      dispatch({
        is: message.is === "renewed" ? "adopted" : message.is,
        held: { ...message.held, at },
        elsewhere: true,
      });
    } else if (message.is === "signed-out") dispatch({ is: message.is, elsewhere: true });
    else if (message.sid === session.sid)
      dispatch({ is: "told-ended", end: message.end, elsewhere: true });
  };

  const tabs = openTabs(`symbolon ${authority} ${clientId}`, hear);

  /** Calls the authority. */
  const tell = (path: string, form: Form) =>
    post(options.fetch ?? fetch, `${authority}/oauth2/${path}`, { client_id: clientId, ...form });

  /** Asks it for tokens. */
  const ask = (kept: Kept | undefined, resource?: string): Promise<Outcome> =>
    tell("token", { grant_type: "refresh_token", refresh_token: kept?.refresh, resource })
      .then(outcomeOf)
      .catch(() => ({ is: "failed", retryMs: 0 }));

  const load = async (): Promise<Kept | undefined> => {
    const { held } = state;
    const refresh = held?.tokens.refresh_token;
    return storage.load ? storage.load() : refresh ? { refresh, count: held!.count } : undefined;
  };

  const renew = async (flight: number, queued: boolean) => {
    if (queued || state.phase === "restoring" || !(storage.hidden || storage.load)) {
      tabs.post({ is: "hello" });
      for (const until = clock() + HEAR_MS_MAX; clock() < until && state.flight === flight;)
        await pause(5);
    }
    if (state.flight !== flight) return;
    const kept = await load();
    let outcome: Outcome = kept || storage.hidden ? await ask(kept) : { is: "denied" };
    // What is said of a refresh token that another tab replaced meanwhile says nothing.
    if (outcome.is === "denied" && (await load())?.refresh !== kept?.refresh)
      outcome = { is: "failed", retryMs: 0 };
    if (outcome.is === "renewed") {
      const count = Math.max(kept?.count ?? 0, state.held?.count ?? 0) + 1;
      dispatch({ ...outcome, flight, held: heldOf(outcome.tokens, clock(), Math.random(), count) });
    } else if (outcome.is === "failed") {
      const backOff =
        Math.min(RETRY_MS * 2 ** state.failures, RETRY_MS_MAX) * (0.5 + Math.random() / 2);
      dispatch({ ...outcome, flight, retryMs: Math.max(outcome.retryMs, backOff) });
    } else dispatch({ ...outcome, flight });
  };

  /** Gives the page the time to sign in again, while requests wait. */
  const hold = async (end: End) => {
    holding = !!options.onSessionEnded;
    try {
      const tokens = await options.onSessionEnded?.(end);
      if (tokens) await signIn(tokens);
    } finally {
      holding = false;
      emit("");
    }
  };

  const signIn = async (tokens?: Tokens) => {
    dispatch(
      tokens
        ? { is: "signed-in", held: heldOf(tokens, clock(), Math.random(), 0) }
        : { is: "restore" },
    );
    await take();
  };

  /** The tokens to send a request with; waits if it must. */
  const take = async (): Promise<Tokens | undefined> => {
    const since = clock();
    for (let waited = false; ; waited = true) {
      const { phase, end, why } = state;
      if (waited && why) throw new Misconfigured(why);
      if (!ready(state, clock())) dispatch({ is: "asked" });
      const held = usable(state, clock());
      if (held) return held.tokens;
      if (!holding && !waits(state)) {
        if (end && (waited || phase !== "signed-out")) throw new SessionEnded(end);
        return undefined;
      }
      const late = state.failures && clock() - since >= (options.patience ?? 30_000);
      if (late || waiting >= WAITING_MAX) throw new Unavailable("The authority does not answer.");
      waiting++;
      await change();
      waiting--;
    }
  };

  const settle = async () => {
    while (state.phase === "restoring") await change();
  };

  const call = attempt(options, take, dispatch, emit, clock);
  const stops = [
    onWake(() => dispatch({ is: "woke" })),
    () => clearTimeout(timer),
    tabs.close,
    () => void (stopped = true),
  ];
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
    ready: settle(),
    dispose,
    rim: {
      options,
      call,
      onStop: (act) => stops.push(act),
      async tokenFor(resource) {
        let outcome: Outcome = { is: "denied" };
        await tabs.turn(async () => {
          const kept = await load();
          outcome = await ask(kept, resource);
          if (outcome.is === "renewed")
            dispatch({ is: "rotated", from: kept?.refresh, to: outcome.tokens.refresh_token });
        });
        return outcome;
      },
      tell: dispatch,
      emit,
    },
  };
  return [client, () => stops.forEach((stop) => stop())];
}
