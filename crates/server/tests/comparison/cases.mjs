// Runs the hand-written code of docs/comparison.md into each of the cases that the page names, and says what came of it.
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const folder = process.argv[2]
const load = (name, which = '') => import(pathToFileURL(join(folder, name)) + which)
const { auth } = await load('auth.mjs')

// As much of Redis as the code asks for; it can be away, and it can lose a key.
class Redis extends Map {
  away = false
  async #ask(answer) {
    await null
    if (this.away) throw new Error('ECONNREFUSED')
    return answer()
  }
  redis = {
    get: key => this.#ask(() => this.get(key) ?? null),
    set: (key, value) => this.#ask(() => this.set(key, value)),
    del: key => this.#ask(() => this.delete(key)),
  }
  lose = prefix => [...this.keys()].filter(key => key.startsWith(prefix)).forEach(key => this.delete(key))
}

// A shop with one person in it, and a browser whose tabs share what is stored.
let tabs = 0
async function shop() {
  const store = new Redis()
  const users = new Map([['10086', { id: '10086', password: 'pw', roles: ['admin'] }]])
  const server = auth({ redis: store.redis, users, accessSecret: 'a', refreshSecret: 'b' })
  const browser = new Map()
  const at = { page: '/', answersLost: 0, expired: false }
  globalThis.localStorage = {
    getItem: name => browser.get(name) ?? null,
    setItem: (name, value) => browser.set(name, value),
    clear: () => browser.clear(),
  }
  globalThis.location = { assign: page => { at.page = page } }
  globalThis.fetch = async (url, { headers, body }) => {
    const work = url === '/refresh' ? server.refresh(body) : orders(headers.Authorization.slice(7))
    const [status, said] = await work.then(said => [200, said], error => [error.status ?? 500, {}])
    if (url === '/refresh' && 0 < at.answersLost--) throw new TypeError('fetch failed')
    return { status, ok: status === 200, json: async () => said }
  }
  let old = null
  const orders = async token => {
    if (token === old) throw Object.assign(new Error('expired'), { status: 401 })
    return server.check(token)
  }
  const signIn = async () => {
    const tokens = await server.login('10086', 'pw')
    for (const [name, token] of Object.entries(tokens)) browser.set(name, token)
    return tokens
  }
  return {
    server, store, users, at, browser, signIn,
    tab: async () => (await load('page.mjs', `?tab=${tabs++}`)).call,
    accessEnds: () => { old = browser.get('access') },
  }
}

const outcome = work => work.then(() => 'ok', error => error.status ?? error.message)

const cases = {
  async 'two tabs'() {
    const { tab, signIn, accessEnds, at, browser } = await shop()
    await signIn()
    const [one, two] = [await tab(), await tab()]
    accessEnds()
    // The second tab read the refresh token before the first one had stored its successor; its request is the slower one.
    const { fetch } = globalThis
    let first = Promise.resolve()
    globalThis.fetch = async (url, options) => {
      if (url !== '/refresh') return fetch(url, options)
      const before = first
      let done
      first = new Promise(resolve => { done = resolve })
      await before
      return fetch(url, options).finally(done)
    }
    const said = await Promise.all([outcome(one('/orders')), outcome(two('/orders'))])
    return { said, page: at.page, 'tokens left': browser.size }
  },
  async 'lost answer'() {
    const { tab, signIn, accessEnds, at } = await shop()
    await signIn()
    const call = await tab()
    accessEnds()
    at.answersLost = 1
    const first = await outcome(call('/orders'))
    const second = await outcome(call('/orders'))
    return { first, second, page: at.page }
  },
  async 'kicked user'() {
    const { server, signIn } = await shop()
    const { access, refresh } = await signIn()
    await server.kick('10086')
    return { services: await outcome(server.check(access)), renewal: await outcome(server.refresh(refresh)) }
  },
  async 'changed permission'() {
    const { server, users, signIn } = await shop()
    const { access } = await signIn()
    users.get('10086').roles = []
    return { roles: (await server.check(access)).roles }
  },
  async 'stolen refresh token'() {
    const { server, signIn } = await shop()
    const { refresh } = await signIn()
    const thief = await server.refresh(refresh)
    const owner = await outcome(server.refresh(refresh))
    return { owner, thief: await outcome(server.refresh(thief.refresh)) }
  },
  async 'key that Redis let go'() {
    const { server, store, signIn } = await shop()
    const { access } = await signIn()
    await server.logout(access)
    const before = await outcome(server.check(access))
    store.lose('deny:')
    const after = await outcome(server.check(access))
    const { refresh } = await signIn()
    store.lose('refresh:')
    return { 'signed out': before, 'signed out, key gone': after, 'signed in, key gone': await outcome(server.refresh(refresh)) }
  },
  async 'Redis away'() {
    const { server, store, signIn } = await shop()
    const { access } = await signIn()
    await server.logout(access)
    store.away = true
    return { 'signed out': await outcome(server.check(access)) }
  },
  async 'second device'() {
    const { server, signIn } = await shop()
    const laptop = await signIn()
    const phone = await signIn()
    return { laptop: await outcome(server.refresh(laptop.refresh)), phone: await outcome(server.refresh(phone.refresh)) }
  },
}

// One line a case, in the order of the page.
for (const run of Object.values(cases)) console.log(JSON.stringify(await run()))
