import type { KernelTools } from './kernel-tools.ts'
import type { Node, OpenNodeOptions } from './open-node.ts'
import type { RunDaemonOptions } from './run-daemon.ts'

export { makeSigningKey, readApiToken, signManifest } from '@aegis/security'
export { type DaemonRecord, readDaemonRecord } from './daemon-record.ts'
export { type DiscoveredConfig, discoverConfig } from './discover-config.ts'
export { type DaemonState, findDaemon } from './find-daemon.ts'
export { type Home, homeAt, prepareHome, resolveHome } from './home.ts'
export type { FetchProgress, KernelRecord } from './kernel-tools.ts'
export { logLevelOf } from './log-level.ts'
export { version } from './version.ts'
export type { KernelTools, Node, OpenNodeOptions, RunDaemonOptions }

// What a node is made of takes a while to load, and a command that talks to a daemon needs none.

/** See `openNode` in open-node.ts. */
export async function openNode(options: OpenNodeOptions): Promise<Node> {
  const { openNode: open } = await import('./open-node.ts')
  return open(options)
}

/** What looks an audit over without a node: see audit-tools.ts. */
export const auditTools = (): Promise<typeof import('./audit-tools.ts')> =>
  import('./audit-tools.ts')

/** What looks after the kernels of micro-VMs without a node: see kernel-tools.ts. */
export const kernelTools = async (home: string): Promise<KernelTools> =>
  (await import('./kernel-tools.ts')).kernelToolsOf(home)

/** See `runDaemon` in run-daemon.ts. */
export async function runDaemon(options: RunDaemonOptions): Promise<void> {
  const { runDaemon: run } = await import('./run-daemon.ts')
  return run(options)
}
