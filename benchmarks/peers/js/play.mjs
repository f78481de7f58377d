// What every script here shares: its orders from the command line, its report on standard output.
//
// The runner starts `node CLIENT.mjs '{"descriptor": ..., "login": "bot", "pfs": true}'` and reads one JSON object a
// line: {"step": "..."} for each thing that worked, and {"failed": "..."} at most once. What a person or an operator would
// do it asks for itself, of the HTTP control that the descriptor names (docs/testdc.md): it reads the code that was sent,
// scans its QR code, has an update pushed, and looks whether it was refused anything. A client speaks to loopback only:
// every other address is refused before it is dialled.
import net from 'node:net'

export const orders = JSON.parse(process.argv[2])
export const { descriptor, login } = orders
export const app = descriptor.apps[0]
export const phone = descriptor.phones?.find((p) => p.user_id === orders.user)
export const bot = descriptor.bots?.find((b) => b.user_id === orders.user)
export const user = phone ?? bot

const dial = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  const host = typeof first === 'object' && first !== null ? first.host : args[1]
  if (host !== '127.0.0.1' && host !== '::1') throw new Error(`${host} is not a loopback address`)
  return dial.apply(this, args)
}

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n')
export const step = (name) => say({ step: name })

// handOut gives the session to the runner, which goes on with it elsewhere.
export const handOut = (session) => say({ session })

// control asks the test DCs something and returns the answer with its status.
async function control(method, path, body) {
  const r = await fetch(descriptor.control + path, { method, body: body && JSON.stringify(body) })
  const answer = await r.json()
  if (!r.ok && r.status !== 409) throw new Error(`${method} ${path}: ${r.status} ${answer.error} ${answer.field ?? ''}`)
  return answer
}

// code is the newest code that was sent to the phone, as its owner would read it there.
export async function code() {
  const { codes } = await control('GET', `/codes?phone=${phone.phone}&wait=20s`)
  if (codes.length === 0) throw new Error('no code was sent')
  return codes.at(-1).code
}

// scan accepts a login token that is shown as a QR code, as the user's phone would. One that was scanned already is shown
// until the client has heard of it.
export async function scan(token) {
  const answer = await control('POST', '/scan', { token, user_id: orders.user })
  if (answer.error && answer.error !== 'AUTH_TOKEN_ALREADY_ACCEPTED') throw new Error(answer.error)
}

// update has an update pushed, again and again until one has come: the first may come before the client listens.
export async function update(arrived) {
  const push = () => control('POST', '/push', { kind: 'update', user_id: orders.user }).catch(fail)
  const again = setInterval(push, 500)
  try {
    await push()
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
    const { violations } = await control('GET', '/violations?severity=refused')
    if (violations.length > 0) throw new Error(`refused: ${violations[0].rule}: ${violations[0].text}`)
    say({ step: 'done' })
    process.stdout.write('', () => process.exit(0))
  } catch (e) {
    fail(e)
  }
}

function fail(e) {
  say({ failed: e?.stack?.split('\n').slice(0, 3).join(' | ') ?? String(e) })
  process.stdout.write('', () => process.exit(1))
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
