/** The issuer's keys, swapped whole. */

import { covers, type KeySet } from "./jwk.js";

/** The keys in force; none until the first were fetched. */
export class Keyring {
  current: KeySet | undefined;
  /** How often a key was taken away: what was verified stays verified as long as this does not change. */
  generation = 0;

  replace(keys: KeySet): void {
    if (!this.current || !covers(keys, this.current)) this.generation += 1;
    this.current = keys;
  }
}
