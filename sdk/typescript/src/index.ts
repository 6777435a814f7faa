export type * from '@aegis/core'
export { AegisError, Secret } from '@aegis/core'
export { connectNode, type NodeConnection } from './connect-node.ts'
export type { Reconnect } from './resume-stream.ts'
