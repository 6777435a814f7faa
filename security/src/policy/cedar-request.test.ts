import { type AgentRequest, apiActions } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { expect, it } from 'vitest'
import { loadCedar, type TypeAndId } from './cedar.ts'
import { agentRequest, apiRequest, type CedarRequest } from './cedar-request.ts'
import { policySchema } from './policy-schema.ts'
import { agentEntity, manifestContext, userEntity, userId } from './user-request.ts'

/** What Cedar itself finds wrong with a request, going by the schema. */
function problems(
  principal: TypeAndId,
  { action, resource, context, entities }: Omit<CedarRequest, 'slices'>,
): readonly string[] {
  const answer = loadCedar().isAuthorized({
    principal,
    action: { type: 'Action', id: action },
    resource,
    context,
    entities: [...entities],
    schema: policySchema,
    validateRequest: true,
    policies: { staticPolicies: {} },
  })
  return answer.type === 'failure' ? answer.errors.map(({ message }) => message) : []
}

const http = { method: 'GET', path: '/a', headers: { accept: '*/*', 'x-"y': 'ä\u0000' } }
const requests: readonly AgentRequest[] = [
  { action: 'network.connect', host: 'a.com', port: 443 },
  { action: 'network.connect', host: 'a.com', port: 443, address: '10.0.0.1', http },
  { action: 'network.connect', host: '2001:db8::1', port: 443 },
  { action: 'network.connect', host: '::ffff:10.0.0.1', port: 443 },
  { action: 'dns.resolve', name: 'a.com' },
  { action: 'fs.read', path: '/a' },
  { action: 'fs.write', path: '/a' },
  { action: 'llm.generate', model: 'm' },
  { action: 'tool.invoke', tool: 't' },
  { action: 'memory.read', space: 's' },
  { action: 'memory.write', space: 's' },
  { action: 'swarm.spawn', agent: 'coder' },
  { action: 'swarm.send', agent: 'coder' },
  { action: 'swarm.lock', lock: 'l' },
  { action: 'secret.use', secret: 's', host: 'a.com', port: 443 },
]

const agent = { name: 'coder', manifest: aManifest('coder') }

it.each(requests)('puts %j in the words of the schema', (request) => {
  const asked = agentRequest(request)
  if (asked === undefined) throw new Error('It is canonical.')
  const entities = [...asked.entities, agentEntity(agent)]
  expect(problems({ type: 'Agent', id: 'coder' }, { ...asked, entities })).toEqual([])
})

it.each(
  apiActions.flatMap((action) => [{ action }, { action, resource: 'x' }]),
)('puts %j of a user in the words of the schema', (request) => {
  const actor = { name: 'ann', role: 'admin' } as const
  const asked = { ...apiRequest(request), entities: [userEntity(actor)] }
  expect(problems(userId(actor), asked)).toEqual([])
})

it.each([
  'agent.deploy',
  'task.execute',
] as const)('puts %s in the words of the schema', (action) => {
  const actor = { name: 'ann', role: 'admin' } as const
  const limits = {
    connections: 1,
    connectionsPerMinute: 1,
    bytesOut: 1,
    bytesIn: 1,
    hostBytesOut: 1,
    hostBytesIn: 1,
    bytesPerSecond: 1,
    idleTimeoutMs: 1,
    totalTimeoutMs: 1,
  }
  const facts = { isolation: 'docker', image: 'x:1', priority: 3 } as const
  const context = manifestContext(agent, facts, limits)
  const entities = [userEntity(actor), agentEntity(agent)]
  const resource = { type: 'Agent', id: 'coder' }
  expect(problems(userId(actor), { action, resource, context, entities })).toEqual([])
})
