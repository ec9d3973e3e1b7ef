/**
 * Opening encrypted tokens (RFC 7516 §5.2): five segments around a signed one. What comes out is proved by nothing: with
 * `ECDH-ES+A256KW` anyone can seal anything, and only the signature inside counts.
 */

import {
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { decode, decodeExact, utf8 } from "./base64url.js";
import * as json from "./json.js";
import { bareJson, KID_BYTES_MAX } from "./jwk.js";
import { BRINGS, headerMembers, TOKEN_MAX } from "./jws.js";
import { Malformed } from "./malformed.js";

/** How many keys may open tokens at once. Inclusive: one, and those before it while senders change over. */
export const DECRYPTION_KEYS_MAX = 16;

/** The longest text of a key that is read, in characters. Inclusive. */
const KEY_MAX = 4096;

const ECDH = "ECDH-ES+A256KW";

/** Why a token that can be read was not opened: from the first use of a key on, nothing tells which step failed. */
export class Unopened extends Error {
  override readonly name = "Unopened";

  constructor(readonly what: "algorithm" | "encryption") {
    super(
      what === "algorithm" ? "alg: is not the algorithm of the key" : "token: cannot be opened",
    );
  }
}

/** A key that opens tokens by one algorithm. */
interface DecryptionKey {
  readonly kid: string;
  readonly alg: string;
  contentKey(sealed: Sealed, header: json.Members): Buffer;
}

/** Opens a token with the key that it names, or, if it names none, with the only one there is. */
export type Open = (token: string) => string;

/** What opens tokens, by the private or secret JWKs of this resource server. */
export function openerOf(jwks: readonly string[]): Open {
  const keys = jwks.map(keyOf);
  if (!keys.length || keys.length > DECRYPTION_KEYS_MAX)
    throw new Malformed("keys", "must be 1 to 16 keys that open tokens");
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length)
    throw new Malformed("kid", "names two keys");
  return (token) => {
    const sealed = split(token);
    const header = headerOf(sealed.header);
    const kid = json.optionalString(header, "kid");
    const key =
      kid === undefined && keys.length === 1 ? keys[0] : keys.find((one) => one.kid === kid);
    if (!key) throw new Unopened("encryption");
    if (json.requiredString(header, "alg") !== key.alg) throw new Unopened("algorithm");
    return utf8(opened(sealed, key.contentKey(sealed, header)), "token");
  };
}

/** The five segments of an encrypted token. */
interface Sealed {
  /** As it was written: what the tag is over. */
  readonly header: string;
  /** Empty under `dir`. */
  readonly encryptedKey: string;
  readonly iv: Buffer;
  readonly ciphertext: string;
  readonly tag: Buffer;
}

function split(token: string): Sealed {
  if (token.length > TOKEN_MAX) throw new Malformed("token", "is longer than 16 KiB");
  const [header, encryptedKey, iv, ciphertext, tag, more] = token.split(".", 6);
  if (tag === undefined || more !== undefined)
    throw new Malformed("token", "does not have five segments");
  return {
    header: header!,
    encryptedKey: encryptedKey!,
    iv: decodeExact(iv!, 12, "iv"),
    ciphertext: ciphertext!,
    tag: decodeExact(tag, 16, "tag"),
  };
}

/** What would bring a key, compress (RFC 8725 §3.6), or change the meaning of the rest. */
const FOREIGN: Readonly<Record<string, string>> = {
  crit: "is not understood",
  zip: "is not understood: nothing here is compressed",
  b64: "belongs to a signed token",
  jwk: BRINGS,
  jku: BRINGS,
  x5u: BRINGS,
  x5c: BRINGS,
  p2c: "is not understood: no key here is a password",
};

function headerOf(segment: string): json.Members {
  const header = headerMembers(segment, FOREIGN);
  json.requiredString(header, "alg");
  const kid = json.optionalString(header, "kid");
  if (kid !== undefined && Buffer.byteLength(kid) > KID_BYTES_MAX)
    throw new Malformed("kid", "is too long");
  if (json.requiredString(header, "enc") !== "A256GCM")
    throw new Malformed("enc", "must be A256GCM");
  // RFC 7519 §5.2: what is inside is a token, and so signed; bare claims are never read.
  if (json.requiredString(header, "cty").toUpperCase() !== "JWT")
    throw new Malformed("cty", 'must be "JWT": what is inside must be signed');
  return header;
}

/** AES-256-GCM (RFC 7518 §5.3). */
function opened({ header, iv, ciphertext, tag }: Sealed, key: Buffer): Buffer {
  const content = decode(ciphertext, "ciphertext");
  return tried(() => {
    const cipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: 16 });
    cipher.setAAD(Buffer.from(header)).setAuthTag(tag);
    return Buffer.concat([cipher.update(content), cipher.final()]);
  });
}

/** AES key wrap (RFC 7518 §4.4, RFC 3394). */
function unwrapped(kek: Buffer, { encryptedKey }: Sealed): Buffer {
  const wrapped = decodeExact(encryptedKey, 40, "encrypted_key");
  return tried(() => {
    const cipher = createDecipheriv("id-aes256-wrap", kek, Buffer.alloc(8, 0xa6));
    return Buffer.concat([cipher.update(wrapped), cipher.final()]);
  });
}

function keyOf(text: string): DecryptionKey {
  if (text.length > KEY_MAX) throw new Malformed("key", "is longer than 4 KiB");
  const object = json.members(text, "key");
  return json.requiredString(object, "kty") === "oct" ? secretOf(object) : agreementOf(object);
}

/** A secret that both sides know, for `A256KW` or `dir`. */
function secretOf(object: json.Members): DecryptionKey {
  const alg = json.requiredString(object, "alg");
  if (alg !== "A256KW" && alg !== "dir")
    throw new Malformed("alg", "must be A256KW or dir: a secret does not tell which by itself");
  checkPurpose(object, alg);
  const secret = decodeExact(json.requiredString(object, "k"), 32, "k");
  const name = createHmac("sha256", secret).update("symbolon kid").digest().subarray(0, 12);
  return {
    kid: kidOf(object) ?? name.toString("base64url"),
    alg,
    contentKey(sealed) {
      if (alg === "A256KW") return unwrapped(secret, sealed);
      // RFC 7516 §5.2, step 10: there is nothing to unwrap.
      if (sealed.encryptedKey !== "")
        throw new Malformed("encrypted_key", "must be empty under dir");
      return secret;
    },
  };
}

/** A private key on P-256 or X25519, for `ECDH-ES+A256KW`. */
function agreementOf(object: json.Members): DecryptionKey {
  checkPurpose(object, ECDH);
  const bare = pointOf(object);
  const d = json.requiredString(object, "d");
  decodeExact(d, 32, "d");
  const own = imported(() => createPrivateKey({ key: { ...bare, d }, format: "jwk" }), "d");
  if (!isHalf(own, Buffer.from(d, "base64url"), bare))
    throw new Malformed("d", "is not the private half of the public members");
  const name = createHash("sha256").update(bareJson(bare)).digest().subarray(0, 12);
  return {
    kid: kidOf(object) ?? name.toString("base64url"),
    alg: ECDH,
    contentKey: (sealed, header) => unwrapped(agreed(own, String(bare.crv), header), sealed),
  };
}

/** Whether the public members are those of the private one: Node takes those of a curve's point as they are given. */
function isHalf(own: KeyObject, d: Buffer, bare: JsonWebKey): boolean {
  if (bare.crv === "X25519") return createPublicKey(own).export({ format: "jwk" }).x === bare.x;
  const half = createECDH("prime256v1");
  half.setPrivateKey(d);
  const point = [bare.x, bare.y].map((text) => Buffer.from(text ?? "", "base64url"));
  return half.getPublicKey().subarray(1).equals(Buffer.concat(point));
}

/** The key that both sides agree on: ECDH-ES with the Concat KDF (RFC 7518 §4.6). */
function agreed(own: KeyObject, curve: string, header: json.Members): Buffer {
  const epk = json.members(json.required(header, "epk"), "epk");
  if (epk.has("d")) throw new Malformed("epk.d", "is a private member in a public key");
  const bare = pointOf(epk);
  const party = (name: string) => decode(json.optionalString(header, name) ?? "", name);
  const [apu, apv] = [party("apu"), party("apv")];
  if (bare.crv !== curve) throw new Unopened("encryption");
  return tried(() => {
    const sent = createPublicKey({ key: bare, format: "jwk" });
    const shared = diffieHellman({ privateKey: own, publicKey: sent });
    const parts = [Buffer.from(ECDH), apu, apv].flatMap((part) => [four(part.length), part]);
    const info = Buffer.concat([...parts, four(256)]);
    return createHash("sha256").update(four(1)).update(shared).update(info).digest();
  });
}

/** The public members of a key to agree with. */
function pointOf(object: json.Members): JsonWebKey {
  const [kty, crv] = [json.requiredString(object, "kty"), json.optionalString(object, "crv")];
  const coordinate = (name: string) => {
    const text = json.requiredString(object, name);
    decodeExact(text, 32, name);
    return text;
  };
  if (kty === "EC" && crv === "P-256") return { crv, kty, x: coordinate("x"), y: coordinate("y") };
  if (kty === "OKP" && crv === "X25519") return { crv, kty, x: coordinate("x") };
  throw new Malformed("crv", "must be P-256 or X25519");
}

/** The key must be for encrypting by exactly this algorithm (RFC 7517 §4.2, §4.4). */
function checkPurpose(object: json.Members, alg: string): void {
  for (const [name, expected] of [
    ["use", "enc"],
    ["enc", "A256GCM"],
    ["alg", alg],
  ] as const)
    if ((json.optionalString(object, name) ?? expected) !== expected)
      throw new Malformed(name, `must be ${expected}`);
}

function kidOf(object: json.Members): string | undefined {
  const kid = json.optionalString(object, "kid");
  if (kid === "" || (kid && Buffer.byteLength(kid) > KID_BYTES_MAX))
    throw new Malformed("kid", "is empty or too long");
  return kid;
}

function imported(read: () => KeyObject, member: string): KeyObject {
  try {
    return read();
  } catch {
    throw new Malformed(member, "is not a key of its curve");
  }
}

/** Every step with a key fails alike. */
function tried<T>(step: () => T): T {
  try {
    return step();
  } catch {
    throw new Unopened("encryption");
  }
}

function four(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}
