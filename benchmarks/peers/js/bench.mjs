// mtcute's turn in `go run ./pairs`: one client for each bot, in this process, which measures itself. What is said and
// told line by line is in ../pairs/orders.go.
import { createInterface } from 'node:readline'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { MemoryStorage, TelegramClient } from '@mtcute/node'
import { NodeCryptoProvider } from '@mtcute/node/utils.js'
import { addPublicKey } from '@mtcute/core/utils.js'
import { app, dc, descriptor, orders, rsa, wait } from './play.mjs'

const crypto = new NodeCryptoProvider()
await crypto.initialize?.()
addPublicKey(crypto, rsa().pem)

let dials = 0
const connect = net.Socket.prototype.connect // play.mjs lets it dial loopback only
net.Socket.prototype.connect = function (...args) {
  dials++
  return connect.apply(this, args)
}

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n')
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
async function told(want) {
  const { value } = await lines.next()
  if (value !== want) throw new Error(`told ${value}, want ${want}`)
}

const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 } // ms
function rss() {
  globalThis.gc()
  globalThis.gc()
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) // KiB
}

async function signIn(n) {
  const bot = descriptor.bots[n]
  const { ip, port } = dc(bot.dc)
  const at = { id: bot.dc, ipAddress: ip, port }
  const tg = new TelegramClient({
    apiId: app.api_id,
    apiHash: app.api_hash,
    crypto,
    storage: new MemoryStorage(),
    defaultDcs: { main: at, media: { ...at, mediaOnly: true } },
    initConnectionOptions: { deviceModel: 'mtcute', systemVersion: 'node', appVersion: '0.30' },
    network: { usePfs: orders.pfs },
    logLevel: 0,
  })
  tg.onError.add(() => {})
  await tg.start({ botToken: bot.token })
  return tg
}

const call = async (tg) => {
  const list = await tg.call({ _: 'users.getUsers', id: [{ _: 'inputUserSelf' }] })
  if (list.length !== 1) throw new Error('users.getUsers of oneself does not answer one user')
}

// each does f for each number below n, so many at once.
async function each(n, atOnce, f) {
  let next = 0
  const worker = async () => { while (next < n) await f(next++) }
  await Promise.all(Array.from({ length: Math.min(n, atOnce) }, worker))
}

async function signInAll(first, n, atOnce) {
  const list = []
  await each(n, atOnce, async (i) => { list[i] = await signIn(first + i) })
  return list
}

const settle = 5000
const { accounts, first_bot: first } = orders
const scenarios = {
  async logins() {
    await signIn(first)
    const began = cpu()
    await signInAll(first + 1, accounts, orders.at_once)
    return { 'CPU ms': (cpu() - began) / accounts }
  },
  async calls() {
    const list = await signInAll(first, accounts, 4)
    const callers = accounts * orders.at_once
    await each(callers * 20, callers, (i) => call(list[i % list.length]))
    const took = new Float64Array(orders.calls)
    let next = 0
    const began = cpu()
    await each(callers, callers, async (caller) => {
      while (next < took.length) {
        const i = next++
        const at = performance.now()
        await call(list[caller % list.length])
        took[i] = performance.now() - at
      }
    })
    const spent = cpu() - began
    took.sort()
    const n = took.length
    return { 'CPU us': (1000 * spent) / n, 'p50 us': 1000 * took[n >> 1], 'p99 us': 1000 * took[Math.floor((n * 99) / 100)] }
  },
  async idle() {
    await signIn(first)
    const before = rss()
    await signInAll(first + 1, accounts, 4)
    await wait(settle)
    const after = rss()
    const began = cpu()
    const ms = orders.idle_for / 1e6 // Go tells nanoseconds
    await wait(ms)
    return { 'RSS KiB each': (after - before) / accounts, 'CPU s per 1,000 and minute': (cpu() - began) / accounts / (ms / 60_000) }
  },
  async storm() {
    const list = await signInAll(first, accounts, 4)
    await each(list.length, 4, (i) => call(list[i]))
    say({ ready: true })
    await told('cut')
    const began = cpu(), before = dials
    await told('back')
    const back = performance.now(), down = dials - before
    await each(list.length, list.length, async (i) => {
      for (let tries = 0; ; tries++) {
        try { return await Promise.race([call(list[i]), wait(10_000).then(() => { throw new Error('no answer') })]) } catch (e) {
          if (performance.now() - back > 120_000) throw e
          await wait(20)
        }
      }
    })
    const last = performance.now() - back
    await wait(Math.max(0, settle - last))
    return { 'CPU s': (cpu() - began) / 1000, 'last back, s': last / 1000, 'dials while down': down }
  },
}

try {
  say({ result: await scenarios[orders.scenario]() })
} catch (e) {
  say({ failed: e?.stack?.split('\n').slice(0, 3).join(' | ') ?? String(e) })
}
process.stdout.write('', () => process.exit(0))
