import {
  type Actor,
  type DeployRequest,
  type EgressPlan,
  type PolicyAgent,
  parseDuration,
  parseSize,
  type TaskRequest,
} from '@aegis/core'
import type { CedarValueJson, EntityJson, TypeAndId } from './cedar.ts'

/** Who calls, with the role that makes them a member of it. */
export const userEntity = ({ name, role }: Pick<Actor, 'name' | 'role'>): EntityJson => ({
  uid: userId({ name }),
  attrs: { name },
  parents: [{ type: 'Role', id: role }],
})

export const userId = ({ name }: Pick<Actor, 'name'>): TypeAndId => ({ type: 'User', id: name })

export const agentEntity = ({ name, manifest }: PolicyAgent): EntityJson => ({
  uid: { type: 'Agent', id: name },
  attrs: { name, version: manifest.metadata.version },
  parents: [],
  tags: { ...manifest.metadata.labels },
})

/** What an agent is made of, for `agent.deploy` and `task.execute`; see `Manifest` in the schema. */
export function manifestContext(
  { manifest: { spec } }: PolicyAgent,
  { isolation, image, priority }: DeployRequest & Partial<Pick<TaskRequest, 'priority'>>,
  limits: EgressPlan['limits'],
): Record<string, CedarValueJson> {
  const { runtime, execution, security, advanced } = spec
  const { resources, filesystem } = security
  return {
    isolation,
    sandbox: runtime.sandbox,
    language: runtime.language,
    ...(image !== undefined && { image }),
    model: runtime.model,
    tools: [...spec.tools],
    secrets: [...new Set(Object.values(spec.secrets))],
    readPaths: [...filesystem.read],
    writePaths: [...filesystem.write],
    networkMode: security.network.mode,
    swarm: advanced.swarm_enabled,
    iterations: execution.mode === 'one-shot' ? 1 : execution.max_retries,
    warmPoolSize: advanced.warm_pool_size,
    cpuMillicores: resources.cpu,
    memoryBytes: parseSize(resources.memory),
    diskBytes: parseSize(resources.disk),
    timeoutSeconds: Math.ceil(parseDuration(resources.timeout) / 1000),
    processes: resources.pids,
    gpus: resources.gpu,
    connections: limits.connections,
    connectionsPerMinute: limits.connectionsPerMinute,
    bytesOut: limits.bytesOut,
    bytesIn: limits.bytesIn,
    hostBytesOut: limits.hostBytesOut,
    hostBytesIn: limits.hostBytesIn,
    ...(limits.bytesPerSecond !== undefined && { bytesPerSecond: limits.bytesPerSecond }),
    ...(priority !== undefined && { priority }),
  }
}
