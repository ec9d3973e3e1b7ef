/** Text that is not what it should be. */

/**
 * Why some text is not even a token, a key or a frame: which member is wrong, and in what way. It never carries bytes of a
 * token or of a key, so it may be logged.
 */
export class Malformed extends Error {
  override readonly name = "Malformed";

  constructor(
    readonly member: string,
    readonly why: string,
  ) {
    super(`${member}: ${why}`);
  }
}
