import type { AgentManifest } from '@aegis/core'
import { agentPolicy, type CompiledPolicy } from './compiled-policy.ts'
import { any, attribute, equal, startsWith } from './expression.ts'
import { networkPolicies } from './network-policies.ts'

/** What a manifest asks for, as policies of its agent; each is named after its field. */
export function manifestPolicies(
  manifest: AgentManifest,
  operator: { readonly allowPublic: boolean },
): readonly CompiledPolicy[] {
  return [
    ...networkPolicies(manifest, operator),
    ...filePolicies(manifest),
    ...toolPolicies(manifest),
    ...secretPolicies(manifest),
    modelPolicy(manifest),
    ...swarmPolicies(manifest),
  ]
}

/** Its own folders, and those of the host that it asks for with all below them. */
function filePolicies({ metadata: { name: agent }, spec }: AgentManifest): CompiledPolicy[] {
  const { read, write, read_only: readOnly } = spec.security.filesystem
  const folder = (field: string, path: string, actions: CompiledPolicy['actions']) =>
    agentPolicy({
      agent,
      id: `agent/${agent}/${field}`,
      source: `spec.security.${field}`,
      effect: 'permit',
      actions,
      when: inside(path),
    })
  const both = ['fs.read', 'fs.write'] as const
  return [
    {
      ...folder('filesystem.workspace', '/workspace', readOnly ? ['fs.read'] : both),
      source: readOnly ? 'spec.security.filesystem.read_only' : 'every sandbox',
    },
    { ...folder('filesystem.tmp', '/tmp', both), source: 'every sandbox' },
    ...read.map((path, index) => folder(`filesystem.read[${index}]`, path, ['fs.read'])),
    ...write.map((path, index) => folder(`filesystem.write[${index}]`, path, both)),
  ]
}

const inside = (path: string) =>
  any(
    equal(attribute('path'), path),
    startsWith(attribute('path'), path === '/' ? '/' : `${path}/`),
  )

function toolPolicies({ metadata: { name: agent }, spec }: AgentManifest): CompiledPolicy[] {
  return spec.tools.map((tool, index) =>
    agentPolicy({
      agent,
      id: `agent/${agent}/tools[${index}]`,
      source: `spec.tools[${index}]`,
      effect: 'permit',
      actions: ['tool.invoke'],
      slice: `tool ${tool}`,
      resource: { op: '==', entity: { type: 'Tool', id: tool } },
    }),
  )
}

/** The vault, besides, holds each secret to the hosts and agents that it is for. */
function secretPolicies({ metadata: { name: agent }, spec }: AgentManifest): CompiledPolicy[] {
  return Object.entries(spec.secrets).map(([variable, secret]) =>
    agentPolicy({
      agent,
      id: `agent/${agent}/secrets.${variable}`,
      source: `spec.secrets.${variable}`,
      effect: 'permit',
      actions: ['secret.use'],
      slice: `secret ${secret}`,
      resource: { op: '==', entity: { type: 'Secret', id: secret } },
    }),
  )
}

/** Every alias that the node has; the operator narrows it. */
const modelPolicy = ({ metadata: { name: agent } }: AgentManifest): CompiledPolicy =>
  agentPolicy({
    agent,
    id: `agent/${agent}/models`,
    source: 'spec.runtime.model',
    effect: 'permit',
    actions: ['llm.generate'],
  })

/** Agents of its own kind, and locks that are named after it. */
function swarmPolicies({ metadata: { name: agent }, spec }: AgentManifest): CompiledPolicy[] {
  if (!spec.advanced.swarm_enabled) return []
  const shared = { agent, source: 'spec.advanced.swarm_enabled', effect: 'permit' } as const
  return [
    agentPolicy({
      ...shared,
      id: `agent/${agent}/swarm`,
      actions: ['swarm.spawn', 'swarm.send'],
      resource: { op: '==', entity: { type: 'Agent', id: agent } },
    }),
    agentPolicy({
      ...shared,
      id: `agent/${agent}/swarm.locks`,
      actions: ['swarm.lock'],
      when: any(equal(attribute('lock'), agent), startsWith(attribute('lock'), `${agent}/`)),
    }),
  ]
}
