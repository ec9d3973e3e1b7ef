/**
 * A strict reader of JSON objects (RFC 8259, RFC 7515 §4, RFC 7519 §4).
 *
 * `JSON.parse` lets the last of two equal names win, so that two readers of one signed text may see two things. Here no
 * object at any level names a member twice, nesting and the number of members are bounded, and strings are whole.
 */

import { Malformed } from "./malformed.js";

/** How many members the object that is read may have. Inclusive. */
export const MEMBERS_MAX = 64;

/** How deep objects and arrays may nest, the outermost counted. Inclusive. */
export const DEPTH_MAX = 16;

/** The members of an object, each with the text of its value. */
export type Members = ReadonlyMap<string, string>;

/** Reads text that must be one object; `what` names the text in an error. */
export function members(text: string, what: string): Members {
  const scan = new Scan(text, what);
  const found = scan.object(1, MEMBERS_MAX);
  scan.end();
  return found;
}

/** The text of a member that must be there. */
export function required(object: Members, name: string): string {
  const raw = object.get(name);
  if (raw === undefined) throw new Malformed(name, "is missing");
  return raw;
}

/** A value that must be a string. */
export function string(raw: string, member: string): string {
  if (!raw.startsWith('"')) throw new Malformed(member, "must be a string");
  return JSON.parse(raw) as string;
}

/** A member that must be there and be a string. */
export const requiredString = (object: Members, name: string): string =>
  string(required(object, name), name);

/** A member that, if it is there, is a string. */
export function optionalString(object: Members, name: string): string | undefined {
  const raw = object.get(name);
  return raw === undefined ? undefined : string(raw, name);
}

/** A value that must be an array of strings. */
export function strings(raw: string, member: string): readonly string[] {
  const read: unknown = raw.startsWith("[") ? JSON.parse(raw) : undefined;
  if (!Array.isArray(read) || !read.every((one) => typeof one === "string"))
    throw new Malformed(member, "must be an array of strings");
  return read;
}

/** A value that must be a whole number, without sign, fraction or exponent, and at most `max`. */
export function whole(raw: string, member: string, max = Number.MAX_SAFE_INTEGER): number {
  const read = /^(?:0|[1-9]\d*)$/.test(raw) ? Number(raw) : NaN;
  if (!(read <= max)) throw new Malformed(member, "must be a whole number that is not too large");
  return read;
}

/** A value that must be an array of whole numbers of these sizes. */
export function wholes(raw: string, member: string, maxima: readonly number[]): readonly number[] {
  const read = /^\[[\s\d,]*\]$/.test(raw) ? (JSON.parse(raw) as unknown[]) : [];
  if (read.length !== maxima.length)
    throw new Malformed(member, `must be an array of ${maxima.length} whole numbers`);
  return maxima.map((max, at) => whole(String(read[at]), member, max));
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

/** Walks a text once. */
class Scan {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly what: string,
  ) {}

  object(depth: number, most: number): Map<string, string> {
    const found = new Map<string, string>();
    this.skip();
    this.expect("{");
    if (this.next("}")) return found;
    do {
      this.skip();
      const name = this.name();
      this.skip();
      this.expect(":");
      this.skip();
      const begin = this.at;
      this.value(depth + 1);
      if (found.has(name)) this.refuse("names a member twice");
      if (found.size === most) this.refuse("has too many members");
      found.set(name, this.text.slice(begin, this.at));
    } while (this.next(","));
    this.expect("}");
    return found;
  }

  end(): void {
    this.skip();
    if (this.at !== this.text.length) this.refuse("is not a JSON object");
  }

  private value(depth: number): void {
    const first = this.text[this.at];
    if ((first === "{" || first === "[") && depth > DEPTH_MAX) this.refuse("nests too deep");
    if (first === "{") this.object(depth, Infinity);
    else if (first === "[") this.array(depth);
    else if (first === '"') this.name();
    else if (!this.match(WORD)) {
      const number = this.match(NUMBER);
      if (!number || !Number.isFinite(Number(number))) this.refuse("is not a JSON object");
    }
  }

  private array(depth: number): void {
    this.expect("[");
    if (this.next("]")) return;
    do {
      this.skip();
      this.value(depth + 1);
    } while (this.next(","));
    this.expect("]");
  }

  private name(): string {
    const raw = this.match(STRING) ?? this.refuse("is not a JSON object");
    const read = raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (!read.isWellFormed()) this.refuse("has a string that is none");
    return read;
  }

  /** Whether the next character that is not white space is this one; if so, goes past it. */
  private next(character: string): boolean {
    this.skip();
    const is = this.text[this.at] === character;
    if (is) this.at += 1;
    return is;
  }

  private expect(character: string): void {
    if (!this.next(character)) this.refuse("is not a JSON object");
  }

  private skip(): void {
    this.match(SPACE);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private refuse(why: string): never {
    throw new Malformed(this.what, why);
  }
}
