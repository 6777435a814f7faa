import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { parseIpAddress } from '../egress/ip-address.ts'

/** The records of a name, or how there are none. */
export type DnsAnswer =
  | { readonly a?: readonly string[]; readonly aaaa?: readonly string[] }
  | 'absent'
  | 'silent'

export interface DnsServer extends AsyncDisposable {
  /** `address:port`. */
  readonly address: string
  /** `A name` or `AAAA name`, in order. */
  readonly asked: readonly string[]
}

/** An authoritative name server on the loopback, which says what `answer` says at that moment. */
export async function openDnsServer(
  answer: (name: string, type: 'A' | 'AAAA') => DnsAnswer,
): Promise<DnsServer> {
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, peer) => {
    const { name, type, end } = questionOf(query)
    asked.push(`${type} ${name}`)
    const given = answer(name, type)
    if (given === 'silent') return
    const texts = given === 'absent' ? [] : ((type === 'A' ? given.a : given.aaaa) ?? [])
    const records = texts.map((text) => recordOf(text, type))
    const head = Buffer.alloc(12)
    query.copy(head, 0, 0, 2)
    head.writeUInt16BE(given === 'absent' ? 0x8583 : 0x8580, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(records.length, 6)
    socket.send(Buffer.concat([head, query.subarray(12, end), ...records]), peer.port, peer.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

function questionOf(query: Buffer): { name: string; type: 'A' | 'AAAA'; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const type = query.readUInt16BE(at + 1) === 28 ? 'AAAA' : 'A'
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 }
}

/** For the name of the question, good for no time at all. */
function recordOf(text: string, type: 'A' | 'AAAA'): Buffer {
  const bytes = type === 'A' ? 4 : 16
  const value = parseIpAddress(text)?.value ?? 0n
  const data = Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex')
  return Buffer.concat([
    Buffer.of(0xc0, 12, 0, type === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 0, 0, bytes),
    data,
  ])
}
