/** The rim of the machine: sees, tells it, and does what it says. */

import { attempt, type Call } from "./attempt.js";
import { type Form, type Outcome, post } from "./authority.js";
import type { AxiosConfig, AxiosLike } from "./axios.js";
import { stopwatch } from "./clock.js";
import { fetchOf } from "./fetch.js";
import {
  type Effects,
  type End,
  type Event,
  initial,
  next,
  type Phase,
  type Sid,
  type State,
  usable,
  waits,
} from "./machine.js";
import type { Options, Told } from "./options.js";
import { cookie, type Kept } from "./storage.js";
import { HEAR_MS_MAX, openTabs, pause } from "./tabs.js";
import { type Held, heldOf, type Tokens } from "./tokens.js";
import type { Trouble } from "./trouble.js";

/** The most requests that wait for a token. Inclusive; further ones are refused as unavailable. */
const WAITING_MAX = 1000;

/** What a page may know of its session. Another object whenever something of it may have changed, and only then. */
export interface Session {
  readonly phase: Phase;
  readonly sid?: Sid;
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
  /** Milliseconds; see `stopwatch`. */
  clock(): number;
  /** The tokens to send a request with, renewed if that is due; waits if it must. */
  take(): Promise<Tokens | undefined>;
  readonly state: State;
  /** Asks the authority for tokens, also for another audience or for the authority itself (RFC 8707). Does not throw. */
  ask(resource?: string): Promise<Outcome>;
  /** The refresh token, if the page may see it. */
  load(): Promise<Kept | undefined>;
  /** Does what must not be done by two tabs at once. */
  turn(work: () => Promise<void>): void;
  /** What is done when something does not go as it mostly does. */
  readonly trouble: Promise<Trouble>;
  tell(event: Event): void;
  /** Asks the authority something. */
  send(path: string, form: Form): Promise<Response>;
  emit(told: Partial<Told>): void;
  /** Takes the client down. */
  stop(): void;
}

/** How effects are had. */
export type Performs<Name extends keyof Effects> = {
  readonly [What in Name]: (about: Effects[What]) => unknown;
};

/** Starts one; `createClient` sees to it that there is one only. */
export function start(options: Options, dispose: () => void): Client {
  const { authority, clientId, storage = cookie } = options;
  const clock = stopwatch();
  const listeners = new Set<readonly [name: string, listener: (told: never) => void]>();
  let state = initial;
  let session: Session = state;
  let waiting = 0;
  let revoked: Promise<void>;

  const on = (name: string, listener: (told: never) => void) => {
    const one = [name, listener] as const;
    listeners.add(one);
    return () => void listeners.delete(one);
  };

  /** What a listener throws is reported, and disturbs nobody else: hence `async`. */
  const emit = (told?: Readonly<Record<string, unknown>>) =>
    listeners.forEach(async ([name, listener]) => {
      if (name in told!) listener(told![name] as never);
    });

  /** Settles when something has changed. */
  const change = () =>
    new Promise<void>((done) => {
      const off = on("", () => (off(), done()));
    });

  const dispatch = (event: Event) => {
    const before = state;
    const [to, effects] = next(state, event, clock());
    const { phase, held, end } = (state = to);
    if (to !== before) session = { phase, sid: held?.tokens.session_id, end };
    // What a storage throws is reported, and what else there is to do is done: hence `async`.
    Object.entries(effects).forEach(async ([what, about]) => {
      const act =
        perform[what as keyof typeof perform] ?? (await trouble)[what as "wake" | "hold" | "drop"];
      (act as (about: unknown) => unknown)(about);
    });
    // Else requests that wait would wake each other for ever.
    if (to !== before) emit({ "": to });
  };

  /** What is done at once; the rest is for `trouble`. */
  const perform: Performs<"emit" | "renew" | "revoke" | "keep" | "tell"> = {
    emit,
    renew: (flight) => turn(() => renew(flight!)),
    revoke(token) {
      // A page that was still restoring holds none; what is stored is cleared next.
      const asked = token || storage.hidden ? send("revoke", { token }) : load();
      revoked = trouble.then(({ mustBeTold }) => mustBeTold(asked));
      // Whoever does not look at it misses nothing.
      revoked.catch(() => {});
    },
    keep(held) {
      const kept = keptOf(held);
      return kept ? storage.save?.(kept) : held || storage.clear?.();
    },
    tell: (event) => tabs?.post(moved(event!, clock(), Date.now())),
  };

  const send = (path: string, form: Form) =>
    post(options.fetch ?? fetch, `${authority}/oauth2/${path}`, { client_id: clientId, ...form });

  const tabs = openTabs(`symbolon ${authority} ${clientId}`, (event) =>
    dispatch(moved(event, Date.now(), clock())),
  );

  const held = (tokens: Tokens, count: number) => heldOf(tokens, clock(), Math.random(), count);

  const load = async () => (storage.load ? storage.load() : keptOf(state.held));

  const ask = async (resource?: string): Promise<Outcome> => {
    let kept: Kept | undefined;
    let answer: Response | null | undefined;
    try {
      kept = await load();
      const count = ((kept ?? state.held)?.count ?? 0) + 1;
      if (kept || storage.hidden)
        answer = await send("token", {
          grant_type: "refresh_token",
          refresh_token: kept?.refresh,
          resource,
        });
      if (answer?.ok) return { is: "renewed", held: held((await answer.json()) as Tokens, count) };
    } catch {
      answer = null;
    }
    return (await trouble).outcomeOf(answer, kept);
  };

  const turn = (work: () => Promise<void>) => (tabs ? tabs.turn(work) : void work());

  const renew = async (flight: number) => {
    if (tabs && state.flight === flight) {
      tabs.post({ is: "hello" });
      await Promise.race([change(), pause(HEAR_MS_MAX)]);
    }
    if (state.flight === flight) dispatch({ ...(await ask()), flight });
  };

  const signIn = async (tokens?: Tokens) => {
    dispatch(tokens ? { is: "signed-in", held: held(tokens, 0) } : { is: "restore" });
    await take(true);
  };

  const take = async (isSignIn?: boolean): Promise<Tokens | undefined> => {
    const since = clock();
    for (let waited = false; ; waited = true) {
      dispatch({ is: "asked" });
      const now = state;
      const held = usable(now, clock());
      if (held) return held.tokens;
      const isLate = now.failures && clock() - since >= (options.patience ?? 30_000);
      if (waits(now) && !now.why && !isLate && waiting < WAITING_MAX) {
        waiting++;
        await change();
        waiting--;
      } else if (!(await (await trouble).isResumed(now, waited, isSignIn))) return undefined;
    }
  };

  const settle = async () => {
    while (state.phase === "restoring" && !state.why) await change();
  };

  // If it is not found, it is looked for again after a second.
  const find = (): Promise<Trouble> =>
    import("./trouble.js").then(
      (own) => own.trouble(client),
      () => pause(1000).then(find),
    );
  const trouble = find();

  const rim: Rim = {
    options,
    call: attempt(options, take, trouble),
    clock,
    take,
    ask,
    load,
    turn,
    trouble,
    tell: dispatch,
    send,
    emit,
    stop() {
      tabs?.close();
      void trouble.then((own) => own.stop());
    },
    get state(): State {
      return state;
    },
  };
  const client: Client = {
    fetch: fetchOf(rim),
    axios(instance) {
      const { adapter } = instance.defaults;
      instance.defaults.adapter = async (config: AxiosConfig) =>
        (await import("./axios.js")).through(rim, instance, adapter, config);
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
    rim,
  };
  dispatch({ is: "restore" });
  return client;
}

const keptOf = (held: Held | undefined): Kept | undefined => {
  const refresh = held?.tokens.refresh_token;
  return refresh ? { refresh, count: held!.count } : undefined;
};

/** What is held, by another clock: on the way to other tabs by the wall's, and from there by one's own. */
const moved = <E extends Event>(event: E, from: number, to: number): E =>
  "held" in event
    ? { ...event, held: { ...event.held, at: to - Math.max(from - event.held.at, 0) } }
    : event;
