// What a client sees of a site: bytes a second of a download, milliseconds of a request on a kept
// connection and on a new one (medians). Prints them as JSON. `ADDRESS` stands for the name's own.
import { Agent, get } from 'node:https'

const { HOST: host, ADDRESS: address, BYTES: bytes = '0' } = process.env
const lookup =
  address && ((_, options, done) => done(null, options.all ? [{ address, family: 4 }] : address, 4))
const kept = new Agent({ keepAlive: true, maxSockets: 1 })
const fresh = () => new Agent({ keepAlive: false, maxCachedSessions: 0 })

function ask(path, agent) {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    get({ host, path, agent, ...(lookup && { lookup }) }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`status ${answer.statusCode}`))
      answer.on('data', () => {})
      answer.on('end', () => resolve(performance.now() - start))
    }).on('error', reject)
  })
}

async function medianOf(count, agentOf) {
  const times = []
  for (let n = 0; n < count; n++) times.push(await ask('/bytes?n=100', agentOf()))
  return times.toSorted((a, b) => a - b)[count >> 1]
}

await ask('/bytes?n=100', kept)
const tookMs = await ask(`/bytes?n=${bytes}`, kept)
const keptMs = await medianOf(200, () => kept)
const newMs = await medianOf(30, fresh)
kept.destroy()
process.stdout.write(JSON.stringify({ bytesPerSecond: (bytes / tookMs) * 1000, keptMs, newMs }))
