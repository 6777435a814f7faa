import { isIP } from 'node:net'
import type { AgentRequest, ApiRequest, HttpRequestFacts, PolicyAction } from '@aegis/core'
import type { CedarValueJson, EntityJson, TypeAndId } from './cedar.ts'
import { cedarAddress } from './ip-address.ts'

/** A question in the terms of Cedar; who asks is added to it. */
export interface CedarRequest {
  readonly action: PolicyAction
  readonly resource: TypeAndId
  readonly context: Record<string, CedarValueJson>
  /** What policies may look into, besides the principal. */
  readonly entities: readonly EntityJson[]
  /** Which slices of an agent's policies may apply. */
  readonly slices: readonly string[]
}

/** Undefined for a request that cannot be put to the policies, since it is not canonical. */
export function agentRequest(request: AgentRequest): CedarRequest | undefined {
  const { action } = request
  const about = (type: string, id: string, context: CedarRequest['context'], slice?: string) => ({
    action,
    resource: { type, id },
    context,
    entities: [],
    slices: slice === undefined ? [] : [slice],
  })
  switch (request.action) {
    case 'network.connect':
      return connectRequest(request)
    case 'dns.resolve': {
      const { name } = request
      if (!isCanonicalName(name)) return undefined
      return { ...about('Host', name, { host: name }), slices: nameSlices(name) }
    }
    case 'fs.read':
    case 'fs.write':
      return isCanonicalPath(request.path)
        ? about('Path', request.path, { path: request.path })
        : undefined
    case 'llm.generate':
      return about('Model', request.model, { model: request.model })
    case 'tool.invoke':
      return about('Tool', request.tool, { tool: request.tool }, `tool ${request.tool}`)
    case 'memory.read':
    case 'memory.write':
      return about('Memory', request.space, { space: request.space })
    case 'swarm.spawn':
    case 'swarm.send':
      return about('Agent', request.agent, { agent: request.agent })
    case 'swarm.lock':
      return about('Lock', request.lock, { lock: request.lock })
    case 'secret.use': {
      const { secret, host, port } = request
      return about('Secret', secret, { secret, host, port }, `secret ${secret}`)
    }
  }
}

type ConnectRequest = Extract<AgentRequest, { action: 'network.connect' }>

function connectRequest({ action, host, port, address, http }: ConnectRequest) {
  const literal = isIP(host) !== 0
  if (!literal && !isCanonicalName(host)) return undefined
  const told = literal ? host : address
  const known = told === undefined ? undefined : cedarAddress(told)
  if (told !== undefined && known === undefined) return undefined
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined
  return {
    action,
    resource: { type: literal ? 'Address' : 'Host', id: host },
    context: {
      host,
      port,
      ...(known !== undefined && { address: { __extn: { fn: 'ip', arg: known } } }),
      ...(http !== undefined && { http: httpContext(http) }),
    },
    entities: http === undefined ? [] : [headersEntity(http)],
    slices: [
      ...(literal ? ['literal'] : nameSlices(host)),
      ...(known === undefined ? [] : ['address']),
    ],
  }
}

const headersId: TypeAndId = { type: 'Headers', id: 'request' }

const httpContext = ({ method, path }: HttpRequestFacts): CedarValueJson => ({
  method,
  path,
  headers: { __entity: headersId },
})

const headersEntity = ({ headers }: HttpRequestFacts): EntityJson => ({
  uid: headersId,
  attrs: {},
  parents: [],
  tags: { ...headers },
})

/** The name itself, and every suffix that covers it: never itself, nor what only ends alike. */
function nameSlices(name: string): readonly string[] {
  const labels = name.split('.')
  return [
    `host ${name}`,
    ...labels.slice(1).map((_, index) => `suffix ${labels.slice(index + 1).join('.')}`),
  ]
}

/** What stands in the way of reading two names as one: case, dots at the end, other alphabets. */
const isCanonicalName = (name: string): boolean =>
  name.length <= 253 && /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name)

const isCanonicalPath = (path: string): boolean =>
  path === '/' ||
  (path.startsWith('/') &&
    path.length <= 4096 &&
    !path.includes('\0') &&
    path.split('/').every((part, index) => index === 0 || !/^\.{0,2}$/.test(part)))

/** What a user asks for, with the type of the thing that it concerns. */
export function apiRequest({ action, resource }: ApiRequest): CedarRequest {
  const [, subject = ''] = action.split('.')
  const type = apiResources.get(subject) ?? 'Node'
  return {
    action,
    resource: resource === undefined ? { type: 'Node', id: 'this' } : { type, id: resource },
    context: resource === undefined ? {} : { name: resource },
    entities: [],
    slices: [],
  }
}

const apiResources: ReadonlyMap<string, string> = new Map([
  ['agent', 'Agent'],
  // A task goes by its agent.
  ['task', 'Agent'],
  ['image', 'Image'],
  ['sandbox', 'Sandbox'],
  ['policy', 'Policy'],
  ['audit', 'Audit'],
  ['secret', 'Secret'],
  ['token', 'Token'],
])
