// Sessions as the JavaScript libraries keep them.
//
//   node sessions.mjs write DIR     writes into DIR what GramJS and mtcute make of one made-up account; its output is
//                                   kept in persistence/foreign/testdata/js
//   node sessions.mjs read FORMAT   reads a session from standard input, or tdata from the folder it is told there, with
//                                   the library of that format, and prints what the library understood as JSON
//
// The account is nobody's: its key is the bytes 00 01 … ff.
import { mkdirSync, readFileSync, writeFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { Long } from '@mtcute/core'
import { readStringSession, writeStringSession } from '@mtcute/core/utils.js'
import * as convert from '@mtcute/convert'

const require = createRequire(import.meta.url)
const key = Uint8Array.from({ length: 256 }, (_, i) => i)
const otherKey = Uint8Array.from({ length: 256 }, (_, i) => 255 - i)
const user = 777000123

async function gramjs(name) {
  const { StringSession, StoreSession } = require(`${name}/sessions`)
  const { AuthKey } = require(`${name}/crypto/AuthKey`)
  const authKey = new AuthKey()
  await authKey.setKey(Buffer.from(key))
  return { StringSession, StoreSession, authKey }
}

async function write(dir) {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const save = (name, text) => writeFileSync(join(dir, name), text)

  for (const name of ['telegram', 'gramjs-181', 'gramjs-145']) {
    const { StringSession, authKey } = await gramjs(name)
    const s = new StringSession('')
    s.setDC(2, '149.154.167.50', 443)
    s.authKey = authKey
    save(`gramjs-${require(`${name}/package.json`).version}.txt`, s.save())
  }
  {
    const { StringSession, StoreSession, authKey } = await gramjs('telegram')
    const s = new StringSession('')
    s.setDC(4, 'vesta.web.telegram.org', 443) // as in a browser
    s.authKey = authKey
    save('gramjs-browser.txt', s.save())
    const back = process.cwd()
    process.chdir(dir) // StoreSession makes its folder where the process is
    const store = new StoreSession('store')
    store.setDC(2, '149.154.167.50', 443)
    store.authKey = authKey
    process.chdir(back)
  }

  const main = { ipAddress: '149.154.167.50', port: 443, id: 2 }
  const media = { ipAddress: '149.154.167.222', port: 443, id: 2, mediaOnly: true }
  const test = { ipAddress: '149.154.167.40', port: 443, id: 2, testMode: true }
  const self = { userId: user, isBot: false, isPremium: false, usernames: [] }
  const mtcute = (primaryDcs, self) => writeStringSession({ version: 3, primaryDcs, self, authKey: key })
  save('mtcute.txt', mtcute({ main, media: main }, self))
  save('mtcute-media.txt', mtcute({ main, media }, self))
  save('mtcute-test-bot.txt', mtcute({ main: test, media: test }, { ...self, isBot: true }))
  save('mtcute-no-self.txt', mtcute({ main, media }, null))

  // What mtcute's converter makes for the others.
  save('telethon.txt', convert.serializeTelethonSession({ dcId: 2, ipAddress: '149.154.167.50', ipv6: false, port: 443, authKey: key }))
  save('telethon-ipv6.txt', convert.serializeTelethonSession({ dcId: 2, ipAddress: '2001:67c:4e8:f002::a', ipv6: true, port: 443, authKey: key }))
  save('pyrogram.txt', convert.serializePyrogramSession({ apiId: 12345, dcId: 2, isTest: false, authKey: key, userId: user, isBot: false }))
  save('pyrogram-old.txt', convert.serializePyrogramSession({ dcId: 2, isTest: false, authKey: key, userId: user, isBot: false }))
  save('mtkruto.txt', convert.serializeMtkrutoSession({ dcId: 2, isTest: false, authKey: key }))
  save('mtkruto-test.txt', convert.serializeMtkrutoSession({ dcId: 2, isTest: true, authKey: key }))

  await tdata(join(dir, 'tdata'), {})
  await tdata(join(dir, 'tdata-passcode'), { passcode: 'correct horse' })
}

async function tdata(path, options) {
  const t = await convert.Tdata.create({ path, ...options, keyData: { count: 2, order: [0, 1], active: 0 } })
  const guest = { dcId: 4, key: otherKey }
  await t.writeMtpAuthorization({
    userId: Long.fromNumber(user), mainDcId: 2, authKeys: [{ dcId: 2, key }, guest], authKeysToDestroy: [{ dcId: 5, key: otherKey }],
  }, 0)
  await t.writeMtpAuthorization({
    userId: Long.fromNumber(user + 1), mainDcId: 4, authKeys: [guest], authKeysToDestroy: [],
  }, 1)
  await t.writeEmptyMapFile(0)
  await t.writeEmptyMapFile(1)
}

async function read(format) {
  const text = readFileSync(0, 'utf8').trim()
  const hex = (k) => Buffer.from(k).toString('hex')
  switch (format) {
    case 'gramjs': {
      const { StringSession } = await gramjs('telegram')
      const s = new StringSession(text)
      await s.load()
      return { dc: s.dcId, addr: `${s.serverAddress}:${s.port}`, key: hex(s.authKey.getKey()) }
    }
    case 'mtcute': {
      const s = readStringSession(text)
      const { main } = s.primaryDcs
      return { dc: main.id, addr: `${main.ipAddress}:${main.port}`, test: main.testMode, user: s.self?.userId, bot: s.self?.isBot, key: hex(s.authKey) }
    }
    case 'telethon': {
      const s = convert.parseTelethonSession(text)
      return { dc: s.dcId, addr: `${s.ipAddress}:${s.port}`, key: hex(s.authKey) }
    }
    case 'pyrogram': {
      const s = convert.parsePyrogramSession(text)
      return { dc: s.dcId, test: s.isTest, user: s.userId, bot: s.isBot, app: s.apiId, key: hex(s.authKey) }
    }
    case 'mtkruto': {
      const s = convert.parseMtkrutoSession(text)
      return { dc: s.dcId, test: s.isTest, key: hex(s.authKey) }
    }
    case 'tdata': {
      const { path, passcode } = JSON.parse(text)
      const t = await convert.Tdata.open({ path, passcode })
      const s = await t.readMtpAuthorization(0)
      return { dc: s.mainDcId, user: s.userId.toNumber(), key: hex(s.authKeys.find((k) => k.dcId === s.mainDcId).key) }
    }
  }
  throw new Error(`no library here reads ${format}`)
}

const [verb, what] = process.argv.slice(2)
if (verb === 'write' && what) await write(resolve(what))
else if (verb === 'read' && what) console.log(JSON.stringify(await read(what)))
else throw new Error('node sessions.mjs write DIR | read FORMAT')
