// @mtproto/core (https://mtproto-core.js.org), layer 158: the RSA block of before RSA_PAD, obfuscated transport, no PFS.
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { app, bot, code, descriptor, login, orders, phone, play, rsa, step, update } from './play.mjs'

const require = createRequire(import.meta.url)
const RSA = require('@mtproto/core/src/utils/rsa')
const key = rsa()
RSA.prototype.getPublisKeysByHex = async () => ({
  [BigInt.asUintN(64, BigInt(key.fingerprint)).toString(16)]: { modulus: key.n, exponent: key.e },
})
const MTProto = require('@mtproto/core')

const dir = mkdtempSync(path.join(tmpdir(), 'mtfleet-peers-'))

function client() {
  const tg = new MTProto({ api_id: app.api_id, api_hash: app.api_hash, storageOptions: { path: path.join(dir, 'session.json') } })
  tg.dcList = descriptor.dcs
  return tg
}

// call repeats at the DC that the server names, as the library's own examples do.
async function call(tg, method, params) {
  try {
    return await tg.call(method, params)
  } catch (e) {
    const [, kind, id] = /^(PHONE|USER|NETWORK)_MIGRATE_(\d+)$/.exec(e.error_message ?? '') ?? []
    if (!kind) throw new Error(`${method}: ${JSON.stringify(e)}`)
    await tg.setDefaultDc(Number(id))
    return call(tg, method, params)
  }
}

await play(async () => {
  let tg = client()
  await tg.setDefaultDc(orders.first)
  if (login === 'bot') {
    await call(tg, 'auth.importBotAuthorization', { flags: 0, bot_auth_token: bot.token })
  } else {
    const { phone_code_hash } = await call(tg, 'auth.sendCode', { phone_number: phone.phone, settings: { _: 'codeSettings' } })
    await call(tg, 'auth.signIn', { phone_number: phone.phone, phone_code_hash, phone_code: await code() })
  }
  step('signed in')
  const me = async () => {
    const [u] = await call(tg, 'users.getUsers', { id: [{ _: 'inputUserSelf' }] })
    if (String(u.id) !== String(orders.user)) throw new Error(`signed in as ${u.id}, not ${orders.user}`)
  }
  await me()
  step('call')
  if (login === 'phone') {
    const self = { _: 'inputPeerSelf' }
    await call(tg, 'messages.sendMessage', { peer: self, message: 'to myself', random_id: [1, 1] })
    await call(tg, 'messages.getDialogs', { offset_peer: self, offset_date: 0, offset_id: 0, limit: 10, hash: 0 })
    await call(tg, 'users.getFullUser', { id: { _: 'inputUserSelf' } })
    await call(tg, 'help.getAppConfig', { hash: 0 })
  }
  step('content')
  await update(
    new Promise((done) => {
      const seen = (u) => u.updates?.some((v) => v._ === 'updateDeleteMessages') && done()
      for (const name of ['updates', 'updateShort', 'updatesCombined']) tg.updates.on(name, seen)
    }),
  )
  for (const rpc of tg.rpcs.values()) rpc.transport.socket?.destroy()
  tg = client()
  await me()
  step('reconnected')
  await call(tg, 'auth.logOut')
  step('logged out')
  rmSync(dir, { recursive: true })
})
