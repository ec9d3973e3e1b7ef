/** A small client of the authority: one request, one bounded answer, one deadline. It follows no redirect. */

/** The longest answer that is read, in bytes, unless a larger one is expected. Inclusive. */
export const ANSWER_BYTES_MAX = 64 * 1024;

const FAILURES = {
  unreachable: "the authority could not be reached",
  late: "the authority did not answer in time",
  status: "the authority answered",
  oversized: "the authority's answer is longer than it may be",
  metadata: "the authority's metadata",
  keys: "the authority's key set is refused:",
  feed: "the feed is taken up again:",
} as const;

/** Why the authority's answer could not be had or used. Another try may go better. */
export class FetchError extends Error {
  override readonly name = "FetchError";

  constructor(
    readonly what: keyof typeof FAILURES,
    readonly detail: string | number = "",
  ) {
    super(`${FAILURES[what]} ${detail}`.trim());
  }

  /** The status, where another one than 200 was answered. */
  get status(): number | undefined {
    return typeof this.detail === "number" ? this.detail : undefined;
  }
}

/** What is asked. */
export interface Question {
  readonly url: string;
  /** The API key. It is sent to `url` alone, and reaches no error and no log. */
  readonly apiKey?: string | undefined;
  readonly form?: URLSearchParams;
  readonly json?: object;
  /** Of the head of the answer, in milliseconds; `call` means the whole answer by it. */
  readonly deadlineMs: number;
  readonly bytesMax?: number;
}

/** An answer, whatever it says. */
export interface Told {
  readonly status: number;
  readonly body: Buffer;
}

/** Speaks to the authority. */
export interface Http {
  /** The whole body of a 200 (or 204) that is short enough and came in time. */
  call(question: Question): Promise<Buffer>;
  /** Status and whole body of any answer that is short enough and came in time. */
  told(question: Question): Promise<Told>;
  /** What has no end; its head must come in time. */
  open(question: Question): Promise<Stream>;
  /** A body that may take long, but something of it must always come. */
  download(question: Question): Promise<Buffer>;
  /** Ends everything that is open. */
  close(): void;
}

/** Bytes as they come. */
export interface Stream {
  readonly status: number;
  /** The next bytes within so many milliseconds; nothing at the end. Late: a `FetchError`. */
  next(withinMs: number): Promise<Uint8Array | undefined>;
  leave(): void;
}

/** How long a large answer may take in all. Inclusive. */
const DOWNLOAD_MS_MAX = 120_000;

/** A client that uses the platform's `fetch`. */
export function httpOf(send: typeof fetch): Http {
  // Not `AbortSignal.any`, which remembers every signal that it ever stood for.
  const underWay = new Set<AbortController>();
  let isClosed = false;

  async function open(question: Question, isAny = false): Promise<Stream> {
    const own = new AbortController();
    const end = () => void underWay.delete(own);
    const leave = () => {
      end();
      own.abort();
    };
    const failed = (why: unknown): never => {
      leave();
      throw why instanceof FetchError ? why : new FetchError("unreachable");
    };
    if (isClosed) throw new FetchError("unreachable");
    underWay.add(own);
    const asked = send(question.url, init(question, own.signal));
    const answer = await within(question.deadlineMs, asked).catch(failed);
    const { status } = answer;
    if (!isAny && status !== 200 && status !== 204) return failed(new FetchError("status", status));
    const reader = answer.body?.getReader();
    return {
      status,
      async next(withinMs) {
        const read = reader && (await within(withinMs, reader.read()).catch(failed));
        if (read && !read.done) return read.value as Uint8Array;
        end();
        return undefined;
      },
      leave,
    };
  }

  async function whole(question: Question, endMs: number, stepMs: number): Promise<Buffer> {
    const end = performance.now() + endMs;
    return read(await open(question), question, end, stepMs);
  }

  async function read(stream: Stream, question: Question, end: number, stepMs: number) {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const part = await stream.next(Math.min(stepMs, Math.max(end - performance.now(), 0)));
      if (!part) return Buffer.concat(parts, length);
      length += part.length;
      if (length > (question.bytesMax ?? ANSWER_BYTES_MAX)) {
        stream.leave();
        throw new FetchError("oversized");
      }
      parts.push(part);
    }
  }

  return {
    open: (question) => open(question),
    async told(question) {
      const end = performance.now() + question.deadlineMs;
      const stream = await open(question, true);
      return {
        status: stream.status,
        body: await read(stream, question, end, question.deadlineMs),
      };
    },
    call: (question) => whole(question, question.deadlineMs, question.deadlineMs),
    download: (question) => whole(question, DOWNLOAD_MS_MAX, question.deadlineMs),
    close() {
      isClosed = true;
      for (const own of underWay) own.abort();
      underWay.clear();
    },
  };
}

function init({ apiKey, form, json }: Question, signal: AbortSignal): RequestInit {
  const headers: Record<string, string> = { accept: "*/*" };
  if (apiKey !== undefined) headers["authorization"] = `Bearer ${apiKey}`;
  if (json) headers["content-type"] = "application/json";
  const body = form ?? (json && JSON.stringify(json));
  return { headers, signal, redirect: "manual", ...(body && { method: "POST", body }) };
}

/** A promise that is waited for so long and no longer. */
export function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new FetchError("late")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
