/** From an issuer's name to its keys (RFC 8414 §3, RFC 7517). */

import { utf8 } from "./base64url.js";
import { FetchError, type Http } from "./http.js";
import * as json from "./json.js";
import { parseKeySet, type KeySet } from "./jwk.js";
import { Malformed } from "./malformed.js";
import type { Place } from "./url.js";

/** How long each document may take. Inclusive. */
const FETCH_MS_MAX = 5000;

/** What an authority publishes about itself. */
export interface Discovered {
  readonly keys: KeySet;
  /** Where to ask about tokens, if it says so at a place that may be trusted with an API key. */
  readonly introspection: string | undefined;
}

/** Reads the metadata, then the keys that it points to. */
export async function discover(http: Http, issuer: string, place: Place): Promise<Discovered> {
  const [keysAt, introspection] = metadataOf(await text(http, place.metadata), issuer, place);
  const listed = await text(http, keysAt);
  try {
    const keys = parseKeySet(listed);
    // Published is not shared: whoever read it could issue tokens.
    if (keys.keys.some(({ alg }) => alg === "HS256"))
      throw new Malformed("keys", "holds a shared secret, which must never be published");
    return { keys, introspection };
  } catch (why) {
    throw why instanceof Malformed ? new FetchError("keys", why.message) : why;
  }
}

function metadataOf(text: string, issuer: string, place: Place): [string, string | undefined] {
  const object = read(text);
  const member = (name: string) => {
    const raw = object.get(name);
    return raw?.startsWith('"') ? json.string(raw, name) : undefined;
  };
  // RFC 8414 §3.3: identical, or the metadata is not this issuer's and must not be used.
  if (member("issuer") !== issuer) throw new FetchError("metadata", "names another issuer");
  const keys = place.keysAt(member("jwks_uri") ?? "");
  if (!keys) throw new FetchError("metadata", "has no jwks_uri that is safe");
  return [keys, place.questionsAt(member("introspection_endpoint") ?? "")];
}

function read(text: string): json.Members {
  try {
    return json.members(text, "metadata");
  } catch {
    throw new FetchError("metadata", "is not a JSON object");
  }
}

async function text(http: Http, url: string): Promise<string> {
  const bytes = await http.call({ url, deadlineMs: FETCH_MS_MAX });
  try {
    return utf8(bytes, "keys");
  } catch {
    throw new FetchError("metadata", "is not UTF-8");
  }
}
