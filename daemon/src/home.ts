import { chmod } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { AegisError } from '@aegis/core'
import { makeDirectories } from './make-directories.ts'

/** Where a node keeps its state, and what lies where in it. */
export interface Home {
  readonly directory: string
  readonly database: string
  readonly token: string
  /** Written while a daemon serves: its pid and address. */
  readonly daemonRecord: string
  readonly logs: string
  readonly daemonLog: string
  readonly nodeId: string
  /** Of the audit and of secrets. */
  readonly keys: string
  /** Of the operator, unless the configuration names another folder. */
  readonly policies: string
  readonly processRuntime: string
  readonly dockerRuntime: string
  readonly firecrackerRuntime: string
  /** Disks of images. */
  readonly machineImages: string
  /** That micro-VMs boot. */
  readonly kernels: string
  /** Of the sandboxes of agents, where micro-VMs start from them. */
  readonly snapshots: string
  readonly snapshotsKey: string
  readonly build: string
  readonly secrets: string
  readonly secretsKey: string
}

/** `AEGIS_HOME`, or `.aegis` in the user's home directory. */
export const resolveHome = (env: NodeJS.ProcessEnv): string =>
  resolve(env.AEGIS_HOME || join(homedir(), '.aegis'))

export function homeAt(directory: string): Home {
  const logs = join(directory, 'logs')
  return {
    directory,
    database: join(directory, 'aegis.db'),
    token: join(directory, 'api-token'),
    daemonRecord: join(directory, 'daemon.json'),
    logs,
    daemonLog: join(logs, 'daemon.log'),
    nodeId: join(directory, 'node-id'),
    keys: join(directory, 'keys'),
    policies: join(directory, 'policies'),
    processRuntime: join(directory, 'runtime-process'),
    dockerRuntime: join(directory, 'runtime-docker'),
    firecrackerRuntime: join(directory, 'runtime-firecracker'),
    machineImages: join(directory, 'machine-images'),
    kernels: join(directory, 'kernels'),
    snapshots: join(directory, 'snapshots'),
    snapshotsKey: join(directory, 'keys', 'snapshots.key'),
    build: join(directory, 'build'),
    secrets: join(directory, 'secrets.json'),
    secretsKey: join(directory, 'keys', 'secrets.key'),
  }
}

/**
 * Makes the directories, closed to all but their owner.
 * @throws AegisError `invalid` / `home.unusable` they cannot be made, or belong to somebody else
 */
export async function prepareHome(directory: string): Promise<Home> {
  const home = homeAt(directory)
  try {
    makeDirectories(home.logs)
    await chmod(directory, 0o700)
    return home
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError(
      'invalid',
      'home.unusable',
      `AEGIS_HOME cannot be ${directory}: ${reason}. Name a folder of your own with --home or AEGIS_HOME.`,
      { cause },
    )
  }
}
