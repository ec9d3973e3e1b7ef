/** Server-sent events (WHATWG HTML §9.2), read with `fetch`, since `EventSource` sends no `Authorization`. */

/** The longest frame that is read, in characters; a longer one ends the stream. */
export const FRAME_MAX = 64 * 1024;

/** The frames of a stream: name and data. */
export async function* frames(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<readonly [event: string, data: string]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      rest = parts.pop()!;
      if (rest.length > FRAME_MAX) return;
      for (const part of parts) {
        const value = (name: string) => new RegExp(`^${name}: ?(.*)$`, "m").exec(part)?.[1];
        const data = value("data");
        if (data !== undefined) yield [value("event") ?? "message", data];
      }
    }
  } finally {
    void reader.cancel().catch(() => {});
  }
}
