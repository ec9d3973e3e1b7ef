/** Figures, as people read them. */

/** So many milliseconds, with as many places as mean something. */
export const millis = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** A length of time in the largest unit that it fills: `30 s`, `5 min`, `1 d`. */
export function span(ms: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ] as const;
  const [size, unit] = units.find(([size]) => ms >= size && ms % size === 0) ?? [1, "ms"];
  return `${ms / size} ${unit}`;
}

/** A length as the configuration writes it, with a space where people expect one: `5min` is `5 min`. */
export const spaced = (text: string): string => text.replace(/(\d)([a-z])/g, "$1 $2");

/** The median of some: of an even number, what lies between the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** `0:07.4` since a beginning. */
export function since(ms: number): string {
  const tenths = Math.max(Math.floor(ms / 100), 0);
  const [minutes, rest] = [Math.floor(tenths / 600), tenths % 600];
  return `${minutes}:${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
}

/** What a JWT says of its own life, in milliseconds since 1970; `undefined` for a token that says nothing. */
export function lifeOf(token: string): readonly [from: number, until: number] | undefined {
  try {
    const claims = JSON.parse(atob(token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/"))) as {
      iat?: number;
      exp?: number;
    };
    return claims.iat && claims.exp ? [claims.iat * 1000, claims.exp * 1000] : undefined;
  } catch {
    return undefined;
  }
}
