import { join } from 'node:path'
import type { SandboxSpec } from '@aegis/core'
import type { Stage } from '@aegis/sandbox'
import { etcNames, type HostTree } from './host-tree.ts'
import type { InterpreterMount } from './interpreters.ts'

export interface MountPlanInput {
  readonly spec: SandboxSpec
  readonly tree: HostTree
  readonly guestPath: string
  readonly interpreters: readonly InterpreterMount[]
  /** Host directory that stands in for a read-only /workspace. */
  readonly readOnlyWorkspace: string | undefined
  /** Whether the launcher stages what the sandbox's own user could not reach. */
  readonly staged: boolean
  /** Whether the launcher makes the network namespace, or else bubblewrap. */
  readonly launcherNetwork: boolean
}

export interface MountPlan {
  /** What the launcher stages, in order. */
  readonly stages: readonly Stage[]
  /** Arguments for bubblewrap, the guest's argv included. */
  readonly bwrap: readonly string[]
}

/** PATH inside a sandbox: the interpreters first, then the host's read-only system. */
export const sandboxPath = '/opt/aegis/bin:/usr/local/bin:/usr/bin:/bin'

/** Who the guest and the agent's commands are inside. */
export const insideUid = 1000

/** From where on the launcher leaves the sockets that see packets to the world. */
const watchFd = 3

/** Decides what a sandbox sees. Nothing is touched; the result is plain arguments. */
export function planMounts(input: MountPlanInput): MountPlan {
  const { spec, tree } = input
  const stages: Stage[] = []
  const from = (path: string, use: Stage['use'] = 'stage'): string => {
    if (!input.staged) return path
    stages.push({ path, use })
    return `/tmp/${stages.length - 1}`
  }
  const readOnly = (hostPath: string, inside = hostPath) => ['--ro-bind', from(hostPath), inside]
  const disk = (path: string) => ['--size', `${spec.limits.diskBytes}`, '--tmpfs', path]

  const bwrap = [
    ...isolation,
    // Shared with the launcher, whose network namespace is empty, and with nobody else.
    ...(input.launcherNetwork ? ['--share-net'] : []),
    // The system is world-readable where it lies; all the rest may be below somebody's 0700 home.
    ...tree.readOnly.flatMap((path) => ['--ro-bind', path, path]),
    ...tree.links.flatMap(({ path, target }) => ['--symlink', target, path]),
    ...readOnly(tree.etcDirectory, '/opt/aegis/etc'),
    ...etcNames.flatMap((name) => ['--symlink', `/opt/aegis/etc/${name}`, `/etc/${name}`]),
    ...['--proc', '/proc', '--ro-bind', '/proc/sys', '/proc/sys'],
    ...tree.maskedFiles.flatMap((path) => ['--ro-bind', '/dev/null', path]),
    ...['--dev', '/dev', '--perms', '1777', ...disk('/dev/shm')],
    ...['--perms', '1777', ...disk('/tmp')],
    ...(input.readOnlyWorkspace === undefined
      ? ['--perms', '0755', ...disk('/workspace')]
      : readOnly(input.readOnlyWorkspace, '/workspace')),
    ...readOnly(input.guestPath, '/opt/aegis/guest'),
    ...input.interpreters.flatMap((interpreter) => [
      ...(interpreter.bind === undefined
        ? []
        : readOnly(interpreter.bind.hostPath, interpreter.bind.inside)),
      ...interpreter.names.flatMap((name) => [
        '--symlink',
        interpreter.program,
        `/opt/aegis/bin/${name}`,
      ]),
    ]),
    ...hostPaths(spec).flatMap(({ path, writable }) => [
      writable ? '--bind' : '--ro-bind',
      from(path, writable ? 'lend-write' : 'lend-read'),
      path,
    ]),
    // Last, when all mount points exist: what is left writable has a size.
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/', '--', '/opt/aegis/guest'],
    ...(input.launcherNetwork ? ['--watch', `${watchFd}`] : []),
  ]
  return { stages, bwrap }
}

const isolation = [
  '--unshare-all',
  '--unshare-user',
  ...['--uid', `${insideUid}`, '--gid', `${insideUid}`, '--hostname', 'sandbox'],
  ...['--die-with-parent', '--new-session', '--as-pid-1', '--clearenv'],
  ...['--cap-drop', 'ALL'],
]

/** Parents before children, so that a writable directory inside a readable one stays writable. */
function hostPaths({ filesystem }: SandboxSpec): readonly { path: string; writable: boolean }[] {
  const writable = new Set(filesystem.write)
  return [...new Set([...filesystem.read, ...filesystem.write])]
    .sort((a, b) => a.split('/').length - b.split('/').length || (a < b ? -1 : 1))
    .map((path) => ({ path: join(path), writable: writable.has(path) }))
}
