// Runs a recipe of the guide on tokens: one a line comes in, what the recipe said of it goes out.
import { createInterface } from 'node:readline'
import { webcrypto } from 'node:crypto'
import { pathToFileURL } from 'node:url'

globalThis.crypto ??= webcrypto // Debian 12 has Node 18

const { verify } = await import(pathToFileURL(process.argv[2]))
for await (const token of createInterface({ input: process.stdin })) {
  const said = await verify(token).then(claims => ({ sub: claims.sub }), error => ({ refused: String(error) }))
  console.log(JSON.stringify(said))
}
