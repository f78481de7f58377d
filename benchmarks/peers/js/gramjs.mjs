// GramJS (https://gram.js.org): inner data without a DC, no PFS. Older releases, each with its layer, are installed under
// names of their own.
import bigInt from 'big-integer'
import { app, bot, code, dc, descriptor, handOut, login, orders, phone, play, rsa, scan, step, update } from './play.mjs'

const gramjs = orders.package ?? 'telegram'
const { Api, Logger, TelegramClient, sessions } = (await import(gramjs)).default
const { CustomFile } = (await import(`${gramjs}/client/uploads.js`)).default
const { PromisedWebSockets } = (await import(`${gramjs}/extensions/index.js`)).default
const { Raw } = (await import(`${gramjs}/events/index.js`)).default
const { ConnectionTCPAbridged, ConnectionTCPFull, ConnectionTCPObfuscated } = (await import(`${gramjs}/network/index.js`)).default
const { _serverKeys } = (await import(`${gramjs}/crypto/RSA.js`)).default

const key = rsa()
_serverKeys.clear()
_serverKeys.set(key.fingerprint, { n: bigInt(key.n, 16), e: 65537 })

const transports = { full: ConnectionTCPFull, abridged: ConnectionTCPAbridged, obfuscated: ConnectionTCPObfuscated, ws: ConnectionTCPObfuscated, wss: ConnectionTCPObfuscated }

// Its WebSocket is the one it has in browsers. Where a DC takes them it would guess from the DC's address.
class WebSockets extends PromisedWebSockets {
  getWebSocketLink(ip, port) {
    const { id } = descriptor.dcs.find((d) => d.ip === ip && d.port === port)
    return descriptor.websockets.find((w) => w.id === id && w.url.startsWith(orders.transport + '://')).url
  }
}

// It writes a port into 15 bits, and does so whenever it connects.
class Session extends sessions.StringSession {
  get port() {
    return 80
  }
}

// GramJS dials port 80 of every DC, whatever it was told.
const atItsPort = (transport) =>
  class extends transport {
    constructor(o) {
      super({ ...o, port: dc(o.dcId).port })
    }
  }

function client(session) {
  return new TelegramClient(session, app.api_id, app.api_hash, {
    baseLogger: new Logger(orders.verbose ? 'debug' : 'none'),
    connection: atItsPort(transports[orders.transport ?? 'full']),
    connectionRetries: 3,
    ...(orders.transport?.startsWith('ws') && { networkSocket: WebSockets }),
  })
}

const themselves = async (tg) => {
  if (String((await tg.getMe()).id) !== String(orders.user)) throw new Error('it is somebody else')
}
const heard = (tg) => new Promise((done) => tg.addEventHandler((u) => u instanceof Api.UpdateDeleteMessages && done(), new Raw({})))

await play(async () => {
  if (orders.session) {
    const tg = client(new Session(orders.session))
    await tg.connect()
    await themselves(tg)
    step('taken in')
    await update(heard(tg))
    await tg.destroy()
    return
  }
  const session = new Session('')
  session.setDC(orders.first, dc(orders.first).ip, dc(orders.first).port)
  let tg = client(session)
  tg.onError = async (e) => orders.verbose && console.error(e)
  const answers = {
    password: async () => orders.password,
    onError: (e) => { throw e },
  }
  if (login.startsWith('qr')) {
    await tg.connect()
    // It listens to the update only after it has asked for the code.
    const qrCode = async ({ token }) => setTimeout(() => scan(token.toString('base64url')), 100)
    await tg.signInUserWithQrCode({ apiId: app.api_id, apiHash: app.api_hash }, { ...answers, qrCode })
  } else {
    await tg.start(
      login === 'bot'
        ? { botAuthToken: bot.token }
        : { ...answers, phoneNumber: '+' + phone.phone, phoneCode: code },
    )
  }
  step('signed in')
  const me = await tg.getMe()
  if (String(me.id) !== String(orders.user)) throw new Error(`signed in as ${me.id}, not ${orders.user}`)
  step('call')
  if (login === 'phone' && !orders.hand_out) {
    const sent = await tg.sendMessage('me', { message: 'to myself' })
    if (sent.message !== 'to myself') throw new Error(`sent ${sent.message}`)
    const dialogs = await tg.getDialogs()
    if (dialogs.length !== 1 || dialogs[0].message.message !== 'to myself') throw new Error(`${dialogs.length} dialogs`)
    await tg.invoke(new Api.contacts.GetContacts({ hash: bigInt.zero }))
    await tg.invoke(new Api.users.GetFullUser({ id: 'me' }))
    await tg.uploadFile({ file: new CustomFile('zeros', 200_000, '', Buffer.alloc(200_000)), workers: 1 })
  }
  step('content')
  await update(heard(tg))

  const saved = tg.session.save()
  await tg.destroy()
  if (orders.hand_out) return handOut(saved)
  tg = client(new Session(saved))
  await tg.connect()
  if (String((await tg.getMe()).id) !== String(orders.user)) throw new Error('somebody else after the reconnect')
  step('reconnected')
  await tg.invoke(new Api.auth.LogOut())
  step('logged out')
  await tg.destroy()
})
