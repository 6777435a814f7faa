// A site in a process of its own: `/bytes?n` over HTTPS on port 443 of an address. Says when it serves.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const [address, cert, key] = process.argv.slice(2)
const block = Buffer.alloc(1 << 18, 'x')
const options = { cert: readFileSync(cert), key: readFileSync(key), keepAliveTimeout: 60_000 }
const server = createServer(options, (incoming, outgoing) => {
  let left = Number(new URL(incoming.url, 'http://site').searchParams.get('n') ?? 1)
  outgoing.writeHead(200, { 'content-length': left })
  const more = () => {
    while (left > 0) {
      const chunk = block.subarray(0, Math.min(left, block.length))
      left -= chunk.length
      if (!outgoing.write(chunk)) return void outgoing.once('drain', more)
    }
    outgoing.end()
  }
  more()
})
server.listen(443, address, () => process.stdout.write('ready\n'))
process.stdin.on('end', () => process.exit()).resume()
