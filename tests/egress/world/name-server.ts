import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** An authoritative name server, which may change its mind. */
export interface NameServer extends AsyncDisposable {
  /** `address:port`. */
  readonly at: string
  /** The names that were asked for, in order, in lower case. */
  readonly asked: readonly string[]
  /** What a name has from now on: each question takes the next of these answers, the last stays. */
  answer(name: string, ...answers: readonly (readonly string[])[]): void
}

/** Serves A records over UDP on this address; names nobody told it of do not exist. */
export async function openNameServer(address: string): Promise<NameServer> {
  const socket = createSocket('udp4')
  const zone = new Map<string, (readonly string[])[]>()
  const asked: string[] = []
  socket.on('message', (query, from) => {
    const question = readQuestion(query)
    if (question === undefined) return
    if (question.type === typeA) asked.push(question.name)
    const answers = zone.get(question.name)
    const addresses = question.type === typeA ? ((answers && next(answers)) ?? []) : []
    socket.send(
      reply(query, question.end, answers !== undefined, addresses),
      from.port,
      from.address,
    )
  })
  socket.bind(0, address)
  await once(socket, 'listening')
  return {
    at: `${address}:${socket.address().port}`,
    asked,
    answer: (name, ...answers) => void zone.set(name, [...answers]),
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

const typeA = 1

const next = (answers: (readonly string[])[]): readonly string[] =>
  (answers.length > 1 ? answers.shift() : answers[0]) ?? []

interface Question {
  readonly name: string
  readonly type: number
  /** Offset behind it. */
  readonly end: number
}

/** RFC 1035, 4.1.2: the one question of a query. */
function readQuestion(query: Buffer): Question | undefined {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]; length !== undefined && length > 0; length = query[at]) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  if (at + 5 > query.length) return undefined
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function reply(query: Buffer, end: number, exists: boolean, addresses: readonly string[]): Buffer {
  const head = Buffer.from(query.subarray(0, end))
  head.writeUInt16BE(0x8580 | (exists ? 0 : 3), 2) // An answer with authority, else NXDOMAIN.
  head.writeUInt16BE(addresses.length, 6)
  head.writeUInt32BE(0, 8)
  const records = addresses.map((address) => {
    const record = Buffer.from('c00c00010001000000000004', 'hex')
    return Buffer.concat([record, Buffer.from(address.split('.').map(Number))])
  })
  return Buffer.concat([head, ...records])
}
