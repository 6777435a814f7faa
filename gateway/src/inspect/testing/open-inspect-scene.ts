import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import {
  type Agent,
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  request,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type {
  AgentPolicy,
  AgentRequest,
  EgressLimits,
  ExecutionSecret,
  HttpCondition,
} from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import { ruleCovers } from '../../egress/rule-covers.ts'
import { type EgressScene, openEgressScene, ruleOf } from '../../testing/open-egress-scene.ts'
import { signCertificate } from '../certificates/sign-certificate.ts'
import { agentOn } from '../http/agent-on.ts'
import { openInspector } from '../open-inspector.ts'

export interface InspectSceneOptions {
  /** Entries without a condition, as a manifest writes them; `PORT` is that of a site. */
  readonly allow?: readonly string[]
  /** Rules for requests. */
  readonly http?: Readonly<Record<string, HttpCondition>>
  readonly opaque?: readonly string[]
  readonly secrets?: (port: number) => readonly ExecutionSecret[]
  readonly refuse?: (request: AgentRequest) => boolean
  /** What the server at `site.test` and `other.test` does. */
  readonly site?: RequestListener
  /** In place of HTTP. */
  readonly raw?: (socket: Duplex) => void
  readonly plain?: boolean
  readonly limits?: Partial<EgressLimits>
}

/** A site in the world, and an agent whose requests to it are read. */
export interface InspectScene extends AsyncDisposable {
  readonly egress: EgressScene
  /** Of the site. */
  readonly port: number
  /** Requests that reached it: method, target and headers. */
  readonly seen: IncomingMessage[]
  /** Connections that reached it. */
  readonly reached: Socket[]
  /** A file with the authorities that the agent trusts. */
  readonly bundle: string
  readonly authority: string
  /** The agent's end of a connection to the site, TLS spoken. */
  connect(options?: { servername?: string; host?: string }): Promise<Duplex | TLSSocket>
  /** Sends bytes, and gives all that comes back until the end. */
  exchange(raw: string | Buffer, options?: { host?: string }): Promise<string>
  /** One request on a connection of its own, or on `on`. */
  ask(target: string, options?: AskOptions): Promise<Told>
  /** A port whose connections lead to the site, for programs. */
  door(host?: string): Promise<number>
  /** A port that is the proxy. */
  proxy(): Promise<number>
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
  readonly on?: Duplex
  readonly host?: string
}

export interface Told {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly trailers: IncomingMessage['trailers']
  readonly text: string
}

const keys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
/** Those of its certificate, and one that is not. */
const names = ['site.test', 'other.test', 'localhost']
const resolvable = [...names, 'untrusted.test']

/** An authority of the tests, and what it signed for the sites. */
function makeWorldCertificates(hosts: readonly string[] = names) {
  const authority = keys()
  const site = keys()
  const validity = {
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
  }
  const issuer = { name: 'World CA', ...authority }
  const publicKey = authority.publicKey
  return {
    authority: signCertificate({ subject: issuer.name, publicKey, issuer, ...validity }),
    cert: signCertificate({
      subject: 'site.test',
      publicKey: site.publicKey,
      issuer,
      ...validity,
      hosts,
    }),
    key: site.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

export async function openInspectScene(options: InspectSceneOptions = {}): Promise<InspectScene> {
  const world = makeWorldCertificates()
  const seen: IncomingMessage[] = []
  const reached: Socket[] = []
  const listener: RequestListener = (incoming, outgoing) => {
    seen.push(incoming)
    if (options.site !== undefined) return options.site(incoming, outgoing)
    outgoing.end('hello')
  }
  const server = serverOf(options, world, listener)
  server.on('connection', (socket: Socket) => {
    reached.push(socket)
    socket.on('error', () => undefined)
  })
  const port = await listen(server)
  const withPort = (text: string) => text.replace('PORT', String(port))

  const plain = (options.allow ?? []).map((text) => ruleOf(withPort(text)))
  const conditional = Object.entries(options.http ?? {}).map(([text, http]) => ({
    ...ruleOf(withPort(text)),
    http,
  }))
  // The world of the tests is the loopback, which takes a rule of its own.
  const rules = [...plain, ...conditional, ruleOf(`127.0.0.1:${port}`)]
  const secrets = options.secrets?.(port) ?? []
  const inspector = openInspector({ nodeName: 'test', trustedAuthorities: [world.authority] })
  const asked: AgentRequest[] = []
  const policy: AgentPolicy = {
    decide(question) {
      asked.push(question)
      const refused = { allow: false, policies: [], because: 'No rule permits it.' }
      if (options.refuse?.(question)) return { ...refused, policies: ['forbidden'] }
      if (question.action !== 'network.connect') return permitted
      const covering = rules.find(
        (rule) => ruleCovers(rule, question.host, question.port) && meets(question, rule.http),
      )
      return covering === undefined ? refused : permitted
    },
  }
  const base = anIdentity({ policy })
  const egress = openEgressScene({
    inspector,
    policy,
    names: Object.fromEntries(resolvable.map((name) => [name, ['127.0.0.1']])),
    identity: {
      secrets,
      egress: {
        ...base.egress,
        mode: 'allow',
        rules,
        opaque: (options.opaque ?? []).map((text) => ruleOf(withPort(text))),
        reachableRanges: ['127.0.0.0/8'],
        limits: { ...base.egress.limits, ...options.limits },
      },
    },
  })
  const folder = mkdtempSync(join(tmpdir(), 'inspect-'))
  const bundle = join(folder, 'bundle.pem')
  const authority = Buffer.from(inspector.trustBundle()).toString()
  writeFileSync(bundle, authority)
  const doors: { server: Server; sockets: Set<Socket> }[] = []
  const clients: Duplex[] = []
  const agents = new WeakMap<Duplex, Agent>()

  async function openDoor(serve: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>()
    const door = createServer((socket) => {
      sockets.add(socket)
      serve(socket)
    })
    doors.push({ server: door, sockets })
    return listen(door)
  }

  const scene: InspectScene = {
    egress,
    port,
    seen,
    reached,
    bundle,
    authority,
    async connect({ servername, host = 'site.test' } = {}) {
      const stream = egress.tunnel({ host, port })
      clients.push(stream)
      stream.on('error', () => undefined)
      if (options.plain) return stream
      const socket = connect({
        socket: stream,
        servername: servername ?? host,
        ca: authority,
        ALPNProtocols: ['http/1.1'],
      })
      clients.push(socket)
      await once(socket, 'secureConnect')
      socket.on('error', () => undefined)
      return socket
    },
    async exchange(raw, { host } = {}) {
      const stream = await scene.connect(host === undefined ? {} : { host })
      stream.write(raw)
      return (await buffer(stream)).toString('latin1')
    },
    async ask(target, ask = {}) {
      const host = ask.host ?? 'site.test'
      const stream = ask.on ?? (await scene.connect({ host }))
      const agent = agents.get(stream) ?? agentOn(stream)
      agents.set(stream, agent)
      const outgoing = request({
        agent,
        method: ask.method ?? 'GET',
        path: target,
        headers: { host: `${host}:${port}`, ...ask.headers },
      })
      outgoing.end(ask.body)
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
      const body = await buffer(incoming)
      if (ask.on === undefined) stream.destroy()
      return {
        status: incoming.statusCode ?? 0,
        headers: incoming.headers,
        rawHeaders: incoming.rawHeaders,
        trailers: incoming.trailers,
        text: body.toString('latin1'),
      }
    },
    door: (host = 'site.test') =>
      openDoor((socket) => egress.session.tunnel(socket, { host, port, via: 'name' })),
    proxy: () => openDoor((socket) => egress.session.proxy(socket)),
    async [Symbol.asyncDispose]() {
      egress[Symbol.dispose]()
      inspector[Symbol.dispose]()
      for (const client of clients) client.destroy()
      for (const door of doors) {
        for (const socket of door.sockets) socket.destroy()
        door.server.close()
      }
      for (const socket of reached) socket.destroy()
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
  return scene
}

const permitted = { allow: true, policies: ['permit'], because: 'A rule permits it.' }

function serverOf(
  { raw, plain }: InspectSceneOptions,
  { cert, key }: { cert: string; key: string },
  listener: RequestListener,
): Server {
  if (raw !== undefined) {
    if (plain) return createServer(raw)
    return createTlsServer({ cert, key, ALPNProtocols: ['http/1.1'] }, (socket) => {
      socket.on('error', () => undefined)
      raw(socket)
    })
  }
  return plain ? createHttpServer(listener) : createHttpsServer({ cert, key }, listener)
}

function meets(request: AgentRequest, http: HttpCondition | undefined): boolean {
  if (request.action !== 'network.connect' || request.http === undefined || http === undefined) {
    return true
  }
  const { method, path } = request.http
  const matches = (pattern: string) =>
    new RegExp(`^${pattern.split('*').map(RegExp.escape).join('.*')}$`).test(path)
  return (http.methods?.includes(method) ?? true) && (http.paths?.some(matches) ?? true)
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
