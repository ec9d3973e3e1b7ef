/** Targets as digests: who listens to the feed learns of a target only if it holds a token of it (api/feed.md, "Targets"). */

import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { decodeExact } from "./base64url.js";

/** What is digested; a key and everything are not. */
export type DigestedKind = "token" | "session" | "subject" | "client";

/** The key under which targets are digested; the snapshot delivers it. */
export interface TargetKey {
  /** Its text, which tells it from others. */
  readonly text: string;
  readonly key: KeyObject;
}

/** Reads a key: 43 characters of base64url. */
export const targetKeyOf = (text: string): TargetKey => ({
  text,
  key: createSecretKey(decodeExact(text, 32, "digest_key")),
});

/** The digest of a target, sixteen bytes, a character each: of kind ‖ 0x00 ‖ value, the text of the claim. */
export const digestOf = ({ key }: TargetKey, kind: DigestedKind, value: string): string =>
  createHmac("sha256", key).update(`${kind}\0${value}`).digest().toString("latin1", 0, 16);
