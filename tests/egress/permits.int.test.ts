import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import {
  agentId,
  type ConnectTarget,
  type ExecutionEvent,
  executionId,
  type GatewayRecorder,
  type NodeConfig,
  parseManifestValue,
  parseNodeConfigValue,
  planEgress,
  type StreamId,
} from '@aegis/core'
import { readEntry } from '@aegis/core/audit'
import { anIdentity } from '@aegis/core/testing'
import { openGateway } from '@aegis/gateway'
import { openPolicyEngine } from '@aegis/security'
import { openSqliteStore, type Store } from '@aegis/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type NameServer, openNameServer } from './world/name-server.ts'

/** A listener of the world, with account of all that ever came to it. */
interface Listener {
  readonly address: string
  readonly port: number
  connections: number
  bytes: number
}

/** The server's ends of connections that are not over. */
const open = new Set<Promise<unknown>>()

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const block = `127.${randomInt(64, 120)}.${randomInt(1, 255)}`
const addresses = [1, 2, 3].map((last) => `${block}.${last}`)
const zone: Readonly<Record<string, readonly string[]>> = {
  'a.test': [`${block}.1`],
  'x.a.test': [`${block}.2`],
  'y.x.a.test': [`${block}.3`],
  'evila.test': [`${block}.3`],
  'b.test': [`${block}.2`, `${block}.3`],
  'meta.test': ['169.254.169.254'],
}

const resources = new AsyncDisposableStack()
const listeners: Listener[] = []
let ports: readonly number[]
let store: Store
let names: NameServer
let policies: string

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-permits-'))
  resources.defer(() => rm(directory, { recursive: true, force: true }))
  policies = join(directory, 'policies')
  store = resources.use(await openSqliteStore({ path: join(directory, 'aegis.db') }))
  names = resources.use(await openNameServer(addresses[0] ?? ''))
  for (const [name, answers] of Object.entries(zone)) names.answer(name, answers)
  ports = await Promise.all([listenEverywhere(), listenEverywhere()])
})
afterAll(() => resources.disposeAsync())

/** One port on each address of the world. */
async function listenEverywhere(): Promise<number> {
  let port = 0
  for (const address of addresses) port = await listen(address, port)
  return port
}

async function listen(address: string, wanted: number): Promise<number> {
  const server = createServer()
  server.listen(wanted, address)
  await once(server, 'listening')
  resources.defer(() => void server.close())
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('no port')
  const listener: Listener = { address, port: bound.port, connections: 0, bytes: 0 }
  listeners.push(listener)
  server.on('connection', (socket) => {
    listener.connections++
    socket.on('error', () => socket.destroy())
    const closed: Promise<unknown> = once(socket, 'close')
    open.add(closed)
    void closed.then(() => open.delete(closed))
    socket.on('data', (chunk) => {
      listener.bytes += chunk.length
    })
    socket.on('end', () => socket.end('bye'))
  })
  return bound.port
}

/** What an agent may be given, and what it tries; ports by their number in the list. */
const portIndex = fc.nat({ max: 1 })
const hosts = [...Object.keys(zone), ...addresses, 'absent.test']
const rules = fc.oneof(
  fc.tuple(fc.constantFrom(...Object.keys(zone)), portIndex).map(([host, at]) => ({ host, at })),
  fc
    .tuple(fc.constantFrom('*.a.test', '*.x.a.test'), portIndex)
    .map(([host, at]) => ({ host, at })),
  fc
    .tuple(fc.constantFrom(...addresses), fc.constantFrom(31, 32), portIndex)
    .map(([address, length, at]) => ({ host: `${address}/${length}`, at })),
)
const attempts = fc.record({
  host: fc.constantFrom(...hosts),
  at: portIndex,
  through: fc.constantFrom('name', 'socks'),
  bytes: fc.integer({ min: 1, max: 5000 }),
})
const cases = fc.record({
  permitted: fc.array(rules, { minLength: 1, maxLength: 5 }),
  forbidden: fc.array(rules, { maxLength: 2 }),
  reachable: fc.boolean(),
  tries: fc.array(attempts, { minLength: 1, maxLength: 8 }),
})
type Case = typeof cases extends fc.Arbitrary<infer Value> ? Value : never

/** Reaches each listener once, whatever the others happen to reach. */
const everywhere: Case = {
  permitted: [0, 1].flatMap((at) => addresses.map((address) => ({ host: `${address}/32`, at }))),
  forbidden: [],
  reachable: true,
  tries: [0, 1].flatMap((at) =>
    addresses.map((host) => ({ host, at, through: 'name' as const, bytes: 10 })),
  ),
}

it('sends no byte to any listener without an entry that permits it', async () => {
  await fc.assert(fc.asyncProperty(cases, tryAll), { numRuns: 200, examples: [[everywhere]] })
  expect(listeners.every(({ connections }) => connections > 0)).toBe(true)
}, 120_000)

it('keeps entries that all are what they were when they were appended', async () => {
  const { size } = await store.audit.head()
  const entries = await store.audit.entries(0, size)
  expect(entries.length).toBe(size)
  expect(size).toBeGreaterThan(1000)
  expect(entries.filter(({ body }) => readEntry(body) === undefined)).toEqual([])
})

async function tryAll(tried: Case): Promise<void> {
  const before = listeners.map((listener) => ({ ...listener }))
  const id = executionId(randomUUID())
  const config = configFor(tried)
  const textOf = ({ host, at }: { host: string; at: number }) => `${host}:${ports[at]}`
  const manifest = parseManifestValue({
    apiVersion: '100monkeys.ai/v1',
    kind: 'AgentManifest',
    metadata: { name: 'tester', version: '1' },
    spec: {
      runtime: { language: 'javascript', version: '24' },
      task: { command: ['true'] },
      security: {
        network: {
          mode: 'allow',
          allowlist: tried.permitted.map(textOf),
          denylist: tried.forbidden.map(textOf),
        },
      },
    },
  })
  using engine = openPolicyEngine({
    folder: policies,
    required: false,
    eager: true,
    security: config.spec.security,
    logger: silent,
  })
  await using gateway = openGateway({
    nodeName: 'permits',
    providers: [],
    selection: config.spec.llm_selection,
    secret: () => undefined,
    readText: () => '',
    resolvers: [names.at],
    logger: silent,
  })
  const reports = await reportsInto(store, id)
  {
    using door = gateway.admit(
      anIdentity({
        executionId: id,
        agentName: 'tester',
        policy: engine.forAgent({ name: 'tester', manifest }),
        egress: planEgress(manifest, config.spec.security),
      }),
      reports,
    )
    for (const one of tried.tries) {
      const [inside, outside] = duplexPair()
      const port = ports[one.at] ?? 0
      const target: ConnectTarget =
        one.through === 'socks' ? { kind: 'proxy' } : { kind: 'tcp', host: one.host, port }
      door.connect(target, outside)
      await converse(inside, one.through === 'socks' ? socksTo(one.host, port) : [], one.bytes)
    }
  }
  await Promise.all([...open, reports.ended()])
  const entries = await auditOf(store, id)
  for (const [index, listener] of listeners.entries()) {
    const { address, port } = listener
    const connections = listener.connections - (before[index]?.connections ?? 0)
    const bytes = listener.bytes - (before[index]?.bytes ?? 0)
    const begun = entries.filter(
      ({ type, data }) =>
        type === 'execution.connecting' && data.address === address && data.port === port,
    )
    const sent = begun.map(({ data }) => {
      const end = entries.find(
        ({ type, data: ended }) =>
          type === 'execution.disconnected' && ended.connection === data.connection,
      )
      return Number(end?.data.bytesOut)
    })
    expect(connections).toBe(begun.length)
    expect(bytes).toBe(sent.reduce((sum, each) => sum + each, 0))
    for (const { data } of begun) {
      expect(mayReach(tried, `${data.host}`, address, port), JSON.stringify(data)).toBe(true)
    }
  }
}

/** Says its words, ends, and waits for the other side to end too. */
async function converse(
  stream: Duplex,
  greetings: readonly Buffer[],
  bytes: number,
): Promise<void> {
  const closed = once(stream, 'close')
  stream.on('error', () => stream.destroy())
  stream.on('end', () => stream.destroy())
  for (const greeting of greetings) {
    if (stream.destroyed || stream.readableEnded) break
    const answered = Promise.race([once(stream, 'data'), closed])
    stream.write(greeting)
    await answered
  }
  stream.resume()
  // Neither TLS nor HTTP.
  if (!stream.destroyed) stream.end(Buffer.concat([Buffer.from([1]), randomBytes(bytes)]))
  await closed
}

/** RFC 1928: no authentication, then CONNECT to a name. */
const socksTo = (host: string, port: number): readonly Buffer[] => [
  Buffer.from([5, 1, 0]),
  Buffer.concat([
    Buffer.from([5, 1, 0, 3, host.length]),
    Buffer.from(host),
    Buffer.from([port >> 8, port & 255]),
  ]),
]

/** The rules once more, in other words than those of the product. */
function mayReach(tried: Case, host: string, address: string, port: number): boolean {
  const numbered = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + +part, 0)
  const covers = (subject: string) => (rule: { host: string; at: number }) => {
    if (ports[rule.at] !== port) return false
    const [base = '', length] = rule.host.split('/')
    if (length !== undefined) {
      const size = 2 ** (32 - Number(length))
      const isAddress = /^[\d.]+$/.test(subject)
      return isAddress && Math.floor(numbered(base) / size) === Math.floor(numbered(subject) / size)
    }
    return rule.host.startsWith('*') ? subject.endsWith(rule.host.slice(1)) : rule.host === subject
  }
  const { permitted, forbidden, reachable } = tried
  return (
    reachable &&
    permitted.some(covers(host)) &&
    permitted.some(covers(address)) &&
    !forbidden.some(covers(host)) &&
    !forbidden.some(covers(address))
  )
}

const configFor = ({ reachable }: Case): NodeConfig =>
  parseNodeConfigValue({
    node: { id: 'permits' },
    security: { egress: { reachable_ranges: reachable ? [`${block}.0/24`] : [] } },
  })

interface Reports extends GatewayRecorder {
  /** Resolves when every connection that began is reported to have ended. */
  ended(): Promise<void>
}

/** Reports become events of a stream, as in the product. */
async function reportsInto({ events }: Store, id: string): Promise<Reports> {
  const ends = new Map<number, PromiseWithResolvers<void>>()
  const stream: StreamId = `execution-${id}`
  let version = 0
  let written = Promise.resolve()
  const note = (event: object): Promise<void> => {
    const at = new Date().toISOString()
    written = written.then(async () => {
      const whole = { iteration: 1, at, ...event } as ExecutionEvent
      await events.append({ stream, expectedVersion: version++, events: [whole] })
    })
    return written
  }
  await note({
    type: 'execution.queued',
    agentId: agentId(randomUUID()),
    agentName: 'tester',
    agentRevision: 1,
    input: '',
    priority: 0,
    isolation: 'process',
    cpuMillicores: 1,
    memoryBytes: 1,
  })
  return {
    llmCalled: (call) => note({ type: 'execution.llm-called', call }),
    denied: (denial) => note({ type: 'execution.denied', ...denial }),
    connecting(start) {
      ends.set(start.connection, Promise.withResolvers())
      return note({ type: 'execution.connecting', ...start })
    },
    async disconnected(end) {
      await note({ type: 'execution.disconnected', ...end })
      ends.get(end.connection)?.resolve()
    },
    ended: async () => void (await Promise.all([...ends.values()].map(({ promise }) => promise))),
    secretUsed: (use) => note({ type: 'execution.secret-used', ...use }),
  }
}

async function auditOf({ audit }: Store, id: string) {
  const found = await audit.find({ executionId: id }, 10_000, new AbortController().signal)
  return found.flatMap(({ body }) => readEntry(body) ?? [])
}
