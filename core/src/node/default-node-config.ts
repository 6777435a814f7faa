import type { NodeConfig } from './node-config.ts'
import { parseNodeConfigValue } from './parse-node-config.ts'

export interface NodeIdentity {
  readonly hostName: string
  readonly nodeId: string
}

/** The config of a node that has no file: reachable from this machine alone, no provider. */
export const defaultNodeConfig = ({ hostName, nodeId }: NodeIdentity): NodeConfig =>
  parseNodeConfigValue({
    apiVersion: '100monkeys.ai/v1',
    kind: 'NodeConfig',
    metadata: { name: hostName.trim() || 'aegis-node', version: '1.0.0' },
    spec: { node: { id: nodeId, type: 'edge' } },
  })
