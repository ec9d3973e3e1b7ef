/** Why the feed cannot be followed from where we stand. */

import { Malformed } from "./malformed.js";
import { Refused } from "./jws.js";

const GAPS = {
  malformed: "the feed cannot be read",
  order: "a frame of the feed was lost, doubled, moved or changed",
  boundary: "a block of the feed has no checkpoint at its end",
  epoch: "the authority's store opened another epoch",
  key: "a checkpoint is signed by a key that is not known yet",
  forged: "a checkpoint's signature does not verify",
  issuer: "a checkpoint is another issuer's",
  unplaced: "frames came before a snapshot",
  gone: "the authority does not know this place of its feed any more",
} as const;

/** Why what came of the feed was not taken. What is known already stays known. */
export class Gap extends Error {
  override readonly name = "Gap";

  constructor(
    readonly what: keyof typeof GAPS,
    detail = "",
  ) {
    super(GAPS[what] + (detail && `: ${detail}`));
  }

  /** The gap that a refusal of the parser means. */
  static of(why: unknown): Gap {
    if (why instanceof Gap) return why;
    if (why instanceof Malformed) return new Gap("malformed", why.message);
    if (why instanceof Refused) return new Gap(why.what === "key" ? "key" : "forged");
    throw why;
  }
}
