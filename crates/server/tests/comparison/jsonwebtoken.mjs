// What docs/comparison.md uses of the package `jsonwebtoken`: HS256, and an expiry in seconds.
import { createHmac, timingSafeEqual } from 'node:crypto'

const encoded = value => Buffer.from(JSON.stringify(value)).toString('base64url')
const mac = (text, secret) => createHmac('sha256', secret).update(text).digest()
const now = () => Math.floor(Date.now() / 1000)

export default {
  sign(claims, secret, { expiresIn, jwtid }) {
    const text = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded({ ...claims, jti: jwtid, exp: now() + expiresIn })}`
    return `${text}.${mac(text, secret).toString('base64url')}`
  },
  verify(token, secret) {
    const [header, payload, signature] = token.split('.')
    const given = Buffer.from(signature, 'base64url')
    const right = mac(`${header}.${payload}`, secret)
    const claims = JSON.parse(Buffer.from(payload, 'base64url'))
    if (given.length !== right.length || !timingSafeEqual(given, right) || claims.exp <= now()) {
      throw Object.assign(new Error('no token of ours, or too old'), { status: 401 })
    }
    return claims
  },
}
