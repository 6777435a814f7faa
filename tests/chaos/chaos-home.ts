import { randomInt } from 'node:crypto'
import { cp, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { ControlPlane } from '@aegis/core'
import { homeAt, readApiToken } from '@aegis/daemon'
import { connectNode } from '@aegis/sdk'
import {
  type AegisCommand,
  openAegisCommand,
  openNodeCommand,
  type Running,
} from '../e2e/aegis-command.ts'
import { engineConfig } from '../e2e/docker-command.ts'
import type { Engine } from '../engine/test-engine.ts'
import type { HomeMark } from './host-processes.ts'

/** A home whose daemon may die at any time, and what a client and the host see of it. */
export interface ChaosHome extends AsyncDisposable {
  readonly aegis: AegisCommand
  readonly mark: HomeMark
  /** Of its micro-VMs, whose users are of the same range. */
  readonly machineMark: HomeMark
  /** Starts the daemon in the foreground; it may not be ready yet. */
  launch(): Running
  /** Starts the daemon and waits until it serves. */
  start(): Promise<Running>
  /** The daemon over HTTP: the same client for all its lives. Started once before. */
  connect(): Promise<ControlPlane>
}

export interface ChaosHomeOptions {
  /** Millicores that all sandboxes share. */
  readonly cpuMillicores?: number
  /** Host paths that agents may read. */
  readonly readable?: readonly string[]
  /** Sandboxes are containers of this engine, unless a manifest or a task says otherwise. */
  readonly engine?: Pick<Engine, 'socketPath'>
  /** A directory with the kernel that micro-VMs boot. */
  readonly kernels?: string
  /** Boot sandboxes ahead. Default false, so that nothing is there without a task. */
  readonly bootsAhead?: boolean
  /** More of `spec.runtime.capacity`. */
  readonly capacity?: { readonly memory?: string; readonly max_concurrent?: number }
}

export const ready = /daemon ready/

export async function openChaosHome(options: ChaosHomeOptions = {}): Promise<ChaosHome> {
  const { engine, capacity, bootsAhead = false } = options
  const aegis = await (engine ? openNodeCommand() : openAegisCommand())
  // Of its own, so that a process with one of these uids can be nobody else's; and one block, so
  // that a daemon takes over the very uids of the one that died. Machines need another one.
  const count = options.kernels ? 2048 : 1024
  const uidRange = { first: 1_000_000_000 + randomInt(250_000) * 2048, count }
  const config = {
    node: { id: 'chaos', type: 'edge' },
    runtime: {
      uid_range: uidRange,
      capacity: { cpu_millicores: options.cpuMillicores ?? 4000, ...capacity },
      host_paths: { read: options.readable ?? [] },
      output_limit: '1Gi',
      warm_pool: { enabled: bootsAhead },
      ...(engine && {
        ...engineConfig(engine),
        default_isolation: 'docker',
      }),
    },
  }
  await aegis.write('aegis-config.yaml', JSON.stringify(config))
  if (options.kernels) await cp(options.kernels, join(aegis.home, 'kernels'), { recursive: true })
  const base = await realpath(join(aegis.folder, '..'))
  const launch = () => aegis.start('--daemon', '--port', String(aegis.port))
  return {
    aegis,
    mark: { stateDirectory: join(base, 'home', 'runtime-process'), uidRange },
    machineMark: { stateDirectory: join(base, 'home', 'runtime-firecracker'), uidRange },
    launch,
    async start() {
      const daemon = launch()
      await daemon.said(ready)
      return daemon
    },
    async connect() {
      const token = await readApiToken(homeAt(aegis.home).token)
      return connectNode({ url: `http://127.0.0.1:${aegis.port}`, token })
    },
    [Symbol.asyncDispose]: () => aegis[Symbol.asyncDispose](),
  }
}
