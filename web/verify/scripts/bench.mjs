// What a check costs, beside the bare signature check of the same run: `npm run build && node scripts/bench.mjs`.
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { bearer, createVerifier, offline } from "../dist/index.js";

const ROUNDS = 21;
const CHECKS = 2000;
const ISSUER = "https://id.example.com";

const b64 = (text) => Buffer.from(text).toString("base64url");
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "AAAAAAAAAAAAAAAA" };
const at = Math.floor(Date.now() / 1000);

const tokenOf = (number) => {
  const claims = {
    iss: ISSUER,
    sub: "10086",
    aud: "demo-api",
    client_id: "web",
    iat: at,
    exp: at + 3600,
    scope: "orders:read",
    sid: "EREREREREREREREREREREQ",
    ver: [0, 1, 2, 3],
    auth_time: at,
    roles: ["buyer"],
    jti: `token-${number}`,
  };
  const header = { alg: "EdDSA", typ: "at+jwt", kid: jwk.kid };
  const signed = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(claims))}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
};

const tokens = Array.from({ length: CHECKS }, (_, number) => tokenOf(number));
const verifierOf = (cache) =>
  createVerifier({
    issuer: ISSUER,
    audience: "demo-api",
    keys: JSON.stringify({ keys: [jwk] }),
    cache,
  });
const [cold, warm] = [verifierOf(0), verifierOf(CHECKS)];
const policy = offline({ scope: "orders:read" });
const key = createPublicKey({ key: jwk, format: "jwk" });
const bare = tokens.map((token) => {
  const end = token.lastIndexOf(".");
  return [Buffer.from(token.slice(0, end)), Buffer.from(token.slice(end + 1), "base64url")];
});

const each = (act) => {
  const since = performance.now();
  for (let number = 0; number < CHECKS; number += 1) act(number);
  return ((performance.now() - since) * 1000) / CHECKS;
};
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const figures = { "bare signature": [], "cold check": [], "warm check": [] };
const known = new Map(tokens.map((token) => [token, token]));
figures["map look-up"] = [];

for (let round = 0; round < ROUNDS; round += 1) {
  figures["bare signature"].push(
    each((number) => verify(null, bare[number][0], key, bare[number][1])),
  );
  figures["cold check"].push(each((number) => cold.check(bearer(tokens[number]), policy)));
  figures["warm check"].push(each((number) => warm.check(bearer(tokens[number]), policy)));
  figures["map look-up"].push(each((number) => known.get(tokens[number])));
}
for (const [name, values] of Object.entries(figures))
  console.log(`${name.padEnd(16)} ${median(values).toFixed(2)} µs`);
