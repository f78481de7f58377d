// What every script here shares: its orders from the command line, its report on standard output.
//
// The runner starts `node CLIENT.mjs '{"descriptor": ..., "login": "bot", "pfs": true}'` and reads one JSON object a
// line: {"step": "..."} for each thing that worked, {"want": "update"} when an update should be pushed now,
// {"want": "scan", "token": ...} when it shows a QR code, and
// {"failed": "..."} at most once. A client speaks to loopback only: every other address is refused before it is dialled.
import net from 'node:net'

export const orders = JSON.parse(process.argv[2])
export const { descriptor, login } = orders
export const app = descriptor.apps[0]
export const phone = descriptor.phones.find((p) => p.user_id === orders.user)
export const bot = descriptor.bots.find((b) => b.user_id === orders.user)
export const user = phone ?? bot

const dial = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  const host = typeof first === 'object' && first !== null ? first.host : args[1]
  if (host !== '127.0.0.1' && host !== '::1') throw new Error(`${host} is not a loopback address`)
  return dial.apply(this, args)
}

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n')
// scan shows a login token as a QR code; the runner is who scans it.
export const scan = (token) => say({ want: 'scan', token })
export const step = (name) => say({ step: name })

// update asks for an update, again and again until one has come: the first may come before the client listens.
export async function update(arrived) {
  const again = setInterval(() => say({ want: 'update' }), 500)
  say({ want: 'update' })
  try {
    await arrived
  } finally {
    clearInterval(again)
  }
  step('update')
}

// play runs a script and ends the process, whatever the client left running.
export async function play(script) {
  try {
    await script()
    say({ step: 'done' })
    process.stdout.write('', () => process.exit(0))
  } catch (e) {
    say({ failed: e?.stack?.split('\n').slice(0, 3).join(' | ') ?? String(e) })
    process.stdout.write('', () => process.exit(1))
  }
}

export const wait = (ms) => new Promise((done) => setTimeout(done, ms))
export const dc = (id) => descriptor.dcs.find((d) => d.id === id)

// modulus reads n and e from the PKCS #1 PEM of the first key.
import { createPublicKey } from 'node:crypto'
export function rsa() {
  const { pem, fingerprint } = descriptor.public_keys[0]
  const { n, e } = createPublicKey(pem).export({ format: 'jwk' })
  const hex = (s) => Buffer.from(s, 'base64url').toString('hex')
  return { pem, fingerprint, n: hex(n), e: hex(e) }
}
