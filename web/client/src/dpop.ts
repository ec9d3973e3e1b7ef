/** Tokens that are good for nothing without a key of this browser (RFC 9449). */

/** The most nonces that are remembered, one for each origin. */
const NONCES_MAX = 32;

/** The most proofs that one request is sent with. Inclusive. */
const PROOFS_MAX = 3;

/** A key, and a `fetch` that proves it. */
export interface Dpop {
  /** The thumbprint that a back end names at sign-in: `POST /v1/sessions` `"jkt"` (RFC 7638). */
  readonly jkt: string;
  /** For `createClient({ fetch })`, and for axios as its fetch adapter's. */
  readonly fetch: typeof fetch;
}

/** What `dpop` takes. */
export interface DpopOptions {
  /** Keeps the keys of different clients apart. */
  readonly name: string;
  /** As for `createClient`. */
  readonly authority: string;
  /** The authority's name where pages reach it under another host: proofs are for its own address. */
  readonly issuer?: string;
}

/** Makes a key that no script can read, or finds the one of before in IndexedDB. Needs a secure context. */
export async function dpop({ name, authority, issuer = authority }: DpopOptions): Promise<Dpop> {
  const { publicKey, privateKey } = await keyOf(name);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  const jwk = { crv, kty, x, y };
  const jkt = await sha256(JSON.stringify(jwk));
  const nonces = new Map<string, string>();

  const proof = async (htm: string, htu: string, token?: string) => {
    const nonce = nonces.get(new URL(htu).origin);
    const ath = token && (await sha256(token));
    const claims = {
      jti: crypto.randomUUID(),
      htm,
      htu,
      iat: Math.floor(Date.now() / 1000),
      ...(ath && { ath }),
      ...(nonce && { nonce }),
    };
    const text = `${json({ typ: "dpop+jwt", alg: "ES256", jwk })}.${json(claims)}`;
    const signature = await crypto.subtle.sign(
      { name: "ECDSA", hash: "SHA-256" },
      privateKey,
      utf8(text),
    );
    return `${text}.${base64url(new Uint8Array(signature))}`;
  };

  const prove: typeof fetch = async (input, init) => {
    const request = input instanceof Request ? input : undefined;
    const headers = new Headers(init?.headers ?? request?.headers);
    const url = new URL(request?.url ?? String(input), location.href);
    const [, token] = /^DPoP (.*)/i.exec(headers.get("authorization") ?? "") ?? [];
    const isOfAuthority =
      url.href.startsWith(`${authority}/oauth2/`) || url.href.startsWith(`${authority}/v1/me/`);
    if (!token && !isOfAuthority) return fetch(input, init);
    // RFC 9449 §4.2: without query and fragment.
    const htu = (isOfAuthority ? url.href.replace(authority, issuer) : url.href).replace(
      /[?#].*/s,
      "",
    );
    // As it goes over the wire: the platform writes six methods large.
    const { method } = new Request(url, { method: init?.method ?? request?.method ?? "GET" });
    const isSafe = isOfAuthority || /^(GET|HEAD)$/.test(method);
    for (let sent = 1; ; sent++) {
      headers.set("dpop", await proof(method, htu, token));
      const answer = await fetch(request ? request.clone() : input, { ...init, headers });
      const nonce = answer.headers.get("dpop-nonce");
      if (nonce) {
        if (nonces.size >= NONCES_MAX) nonces.clear();
        nonces.set(new URL(htu).origin, nonce);
      }
      const error = sent < PROOFS_MAX && (await errorOf(answer));
      const isCured = (error === "use_dpop_nonce" && nonce) || (error === USED && isSafe);
      if (!isCured) return answer;
    }
  };

  return { jkt, fetch: prove };
}

/**
 * A proof that was used before is refused so too. Browsers send a request whose connection broke again by themselves, to
 * the byte: the authority may have answered the first, and sees the same proof twice. Another proof cures that. A service
 * is not sent twice what it may have done.
 */
const USED = "invalid_dpop_proof";

/** What is said to be wrong: RFC 9449 §5 and §8 at the authority, §7.1 and §9 at a service. */
async function errorOf(answer: Response): Promise<string | undefined> {
  if (answer.status === 401)
    return /error="([^"]*)/.exec(answer.headers.get("www-authenticate") ?? "")?.[1];
  if (answer.status !== 400) return undefined;
  const body = (await answer
    .clone()
    .json()
    .catch(() => ({}))) as { error?: string };
  return body.error;
}

const ES256 = { name: "ECDSA", namedCurve: "P-256" };

/** Two tabs may make one at once: the first that was stored is everybody's. */
async function keyOf(name: string): Promise<CryptoKeyPair> {
  const open = indexedDB.open(`${name} dpop`, 1);
  open.onupgradeneeded = () => open.result.createObjectStore("keys");
  const base = await done(open);
  const stored = await done<CryptoKeyPair | undefined>(
    base.transaction("keys").objectStore("keys").get("key"),
  );
  if (stored) return stored;
  const made = (await crypto.subtle.generateKey(ES256, false, ["sign"])) as CryptoKeyPair;
  const keys = base.transaction("keys", "readwrite").objectStore("keys");
  await done(keys.add(made, "key")).catch(() => {});
  return done<CryptoKeyPair>(base.transaction("keys").objectStore("keys").get("key"));
}

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      event.preventDefault();
      reject(request.error);
    };
  });

const utf8 = (text: string) => new TextEncoder().encode(text);

const json = (value: object) => base64url(utf8(JSON.stringify(value)));

const sha256 = async (text: string) =>
  base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(text))));

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replace(
    /[+/=]/g,
    (sign) => ({ "+": "-", "/": "_" })[sign] ?? "",
  );
