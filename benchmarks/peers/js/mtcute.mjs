// mtcute (https://mtcute.dev), the TypeScript client: layer of its schema, PFS on demand.
import { MemoryStorage, TelegramClient } from '@mtcute/node'
import { NodeCryptoProvider } from '@mtcute/node/utils.js'
import { addPublicKey } from '@mtcute/core/utils.js'
import { app, bot, code, dc, handOut, login, orders, phone, play, rsa, scan, step, update } from './play.mjs'

const crypto = new NodeCryptoProvider()
await crypto.initialize?.()
addPublicKey(crypto, rsa().pem)

function client() {
  const { ip, port } = dc(orders.first)
  const at = { id: orders.first, ipAddress: ip, port }
  return new TelegramClient({
    apiId: app.api_id,
    apiHash: app.api_hash,
    crypto,
    storage: new MemoryStorage(),
    defaultDcs: { main: at, media: { ...at, mediaOnly: true } },
    initConnectionOptions: { deviceModel: 'mtcute', systemVersion: 'node', appVersion: '0.30' },
    network: { usePfs: orders.pfs },
    logLevel: orders.verbose ? 5 : 1,
  })
}

const heard = (c) => new Promise((done) => c.onRawUpdate.add(({ update }) => update._ === 'updateDeleteMessages' && done()))

await play(async () => {
  if (orders.session) {
    const tg = client()
    await tg.importSession(orders.session)
    await tg.start()
    if (String((await tg.getMe()).id) !== String(orders.user)) throw new Error('it is somebody else')
    step('taken in')
    await update(heard(tg))
    await tg.destroy()
    return
  }
  let tg = client()
  tg.onError.add((e) => orders.verbose && console.error(e))
  const password = orders.password ?? (() => { throw new Error('a password is asked for') })
  await tg.start(
    login === 'bot'
      ? { botToken: bot.token }
      : login.startsWith('qr')
      ? { qrCodeHandler: (url) => scan(new URL(url).searchParams.get('token')), password }
      : { phone: '+' + phone.phone, code, password },
  )
  step('signed in')
  const me = await tg.getMe()
  if (String(me.id) !== String(orders.user)) throw new Error(`signed in as ${me.id}, not ${orders.user}`)
  step('call')
  if (login === 'phone' && !orders.hand_out) {
    const sent = await tg.sendText('me', 'to myself')
    if (sent.text !== 'to myself') throw new Error(`sent ${sent.text}`)
    const dialogs = []
    for await (const d of tg.iterDialogs({ limit: 10 })) dialogs.push(d.lastMessage?.text)
    if (String(dialogs) !== 'to myself') throw new Error(`dialogs: ${dialogs}`)
    await tg.getContacts()
    await tg.getFullUser('me')
    await tg.uploadFile({ file: new Uint8Array(200_000), fileName: 'zeros' })
  }
  step('content')
  await update(heard(tg))

  const session = await tg.exportSession()
  await tg.destroy()
  if (orders.hand_out) return handOut(session)
  tg = client()
  await tg.importSession(session)
  await tg.start()
  if (String((await tg.getMe()).id) !== String(orders.user)) throw new Error('somebody else after the reconnect')
  step('reconnected')
  await tg.logOut()
  step('logged out')
  await tg.destroy()
})
