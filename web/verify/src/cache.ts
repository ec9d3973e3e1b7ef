/** Tokens that were verified already, so that one which comes again need not be verified again. */

import type { Claims } from "./claims.js";
import type { Judgement, Mirror, Names } from "./mirror.js";

/** How many tokens are kept, unless it is told otherwise. */
export const CACHE_DEFAULT = 16_384;

/** The most that may be asked for. Inclusive. */
export const CACHE_MAX = 1_000_000;

/** A token that was verified. Everything that can change is checked again at every use. */
export interface Warm {
  readonly claims: Claims;
  /** The key that signed it. */
  readonly kid: Buffer | undefined;
  /** How often a key had been taken away when it was verified: it counts no more once another is. */
  readonly keys: number;
  /** Its names in the mirror, and the generation of the keys that they were digested with. */
  names: Names;
  targetKeys: number;
  /** The mirror's sequence at which nothing was known against it. */
  clearAt: number;
}

/** Claims that are good, as they are kept. */
export const warmOf = (
  mirror: Mirror,
  claims: Claims,
  kid: Buffer | undefined,
  keys: number,
): Warm => ({
  claims,
  kid,
  keys,
  names: mirror.namesOf(claims, kid),
  targetKeys: mirror.keyGeneration,
  clearAt: -1,
});

/** A token is found by its whole text. Once it is full, what was kept first makes room. */
export class Cache {
  private readonly kept = new Map<string, Warm>();

  constructor(private readonly most: number) {}

  find(token: string, keys: number): Warm | undefined {
    const warm = this.kept.get(token);
    if (warm && warm.keys !== keys) {
      this.kept.delete(token);
      return undefined;
    }
    return warm;
  }

  keep(token: string, warm: Warm): void {
    if (this.most === 0) return;
    this.kept.delete(token);
    if (this.kept.size >= this.most) {
      const [first] = this.kept.keys();
      if (first !== undefined) this.kept.delete(first);
    }
    this.kept.set(token, warm);
  }
}

/** What the mirror knows against a token that was verified. */
export function judge(warm: Warm, mirror: Mirror): Judgement | undefined {
  if (warm.clearAt === mirror.sequence) return undefined;
  if (warm.targetKeys !== mirror.keyGeneration) {
    warm.names = mirror.namesOf(warm.claims, warm.kid);
    warm.targetKeys = mirror.keyGeneration;
  }
  const judged = mirror.judge(warm.names, warm.claims.ver);
  if (!judged) warm.clearAt = mirror.sequence;
  return judged;
}
