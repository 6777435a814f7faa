import { lstat, readlink } from 'node:fs/promises'
import type { Stage } from '@aegis/sandbox'
import type { MachinePlan } from '../machine/machine-plan.ts'
import { inBox } from './qemu-command.ts'

/** What of this host's system QEMU needs, found once. */
export interface QemuSystem {
  readonly readOnly: readonly string[]
  readonly links: readonly { readonly path: string; readonly target: string }[]
}

export interface QemuBoxInput {
  readonly plan: Pick<MachinePlan, 'kernel' | 'disks'>
  readonly system: QemuSystem
  readonly qemuPath: string
  readonly arguments: readonly string[]
  /** The daemon's socket for QMP, of this machine alone. */
  readonly qmpPath: string
  /** The daemon's socket for the state, of a machine that a snapshot will be made of. */
  readonly statePath?: string | undefined
  /**
   * A directory of the machine's own, where QEMU listens for the state it is to continue from, and where
   * its vsock device does for QEMU.
   */
  readonly ownDirectory?: string | undefined
  readonly memory?: { readonly path: string; readonly writable: boolean } | undefined
  /** A node of /dev/kvm that QEMU's user may use. */
  readonly kvmPath?: string
  /** Whether the launcher stages what QEMU's own user could not reach. */
  readonly staged: boolean
}

export interface VsockBoxInput extends Pick<QemuBoxInput, 'system' | 'staged'> {
  readonly vsockPath: string
  readonly ownDirectory: string
}

export interface QemuBox {
  readonly stages: readonly Stage[]
  readonly bwrap: readonly string[]
}

/**
 * The box around QEMU: its program and libraries, and the files of one machine. Whoever breaks out of
 * the guest into QEMU finds no network, no other process, no file of the host, and no rights.
 */
export function planQemuBox(input: QemuBoxInput): QemuBox {
  const { plan, memory } = input
  const { kernel, disks } = plan
  const { qemuPath: program } = input
  return planBox({ ...input, program }, ({ from, bind }) => [
    ...bind(kernel.path, inBox.kernel),
    ...bind(kernel.initramfs, inBox.initramfs),
    ...bind(disks.guest.path, inBox.guest),
    ...bind(disks.image.path, inBox.image),
    ...bind(disks.scratch.path, inBox.scratch, true),
    ...bind(input.qmpPath, inBox.qmp, true),
    ...bind(input.statePath, inBox.state, true),
    ...(memory ? bind(memory.path, inBox.memory, memory.writable) : []),
    ...bind(input.ownDirectory, inBox.own, true),
    ...(input.kvmPath === undefined ? [] : ['--dev-bind', from(input.kvmPath), '/dev/kvm']),
  ])
}

/**
 * The box around the program that is the vsock device of a machine: it shares QEMU's memory, and is shut
 * in as QEMU is. All it shares with QEMU besides is `ownDirectory`, where it makes its sockets.
 */
export function planVsockBox(input: VsockBoxInput): QemuBox {
  const { vsockPath, ownDirectory } = input
  const device = `guest-cid=3,socket=${inBox.vsockDevice},uds-path=${inBox.vsock}`
  const program = inBox.vsockProgram
  return planBox({ ...input, program, arguments: ['--vm', device] }, ({ bind }) => [
    ...bind(vsockPath, inBox.vsockProgram),
    ...bind(ownDirectory, inBox.own, true),
  ])
}

interface Binds {
  /** Where a path of the host lies for bubblewrap. */
  from(path: string): string
  bind(path: string | undefined, inside: string, writable?: boolean): readonly string[]
}

function planBox(
  box: Pick<QemuBoxInput, 'system' | 'arguments' | 'staged'> & { readonly program: string },
  mounts: (binds: Binds) => readonly string[],
): QemuBox {
  const stages: Stage[] = []
  const from = (path: string): string => {
    if (!box.staged) return path
    stages.push({ path, use: 'stage' })
    return `/tmp/${stages.length - 1}`
  }
  const bind: Binds['bind'] = (path, inside, writable = false) =>
    path === undefined ? [] : [writable ? '--bind' : '--ro-bind', from(path), inside]
  const bwrap = [
    ...isolation,
    ...box.system.readOnly.flatMap((path) => ['--ro-bind', path, path]),
    ...box.system.links.flatMap(({ path, target }) => ['--symlink', target, path]),
    ...['--dev', '/dev'],
    ...mounts({ from, bind }),
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/', '--'],
    box.program,
    ...box.arguments,
  ]
  return { stages, bwrap }
}

const isolation = [
  '--unshare-all',
  '--unshare-user',
  ...['--uid', '1000', '--gid', '1000', '--hostname', 'machine'],
  ...['--die-with-parent', '--new-session', '--as-pid-1', '--clearenv'],
  ...['--cap-drop', 'ALL'],
]

/** `qemuPath` may lie outside of /usr: then all of its directory is shown. */
export async function readQemuSystem(qemuPath: string): Promise<QemuSystem> {
  const found = await Promise.all(systemDirectories.map(describe))
  const links = found.flatMap(({ path, target }) =>
    target === undefined ? [] : [{ path, target }],
  )
  const readOnly = found.filter(({ directory }) => directory).map(({ path }) => path)
  const own = /^(\/(?!usr\/).*)\/bin\/[^/]+$/.exec(qemuPath)?.[1]
  return { links, readOnly: own === undefined ? readOnly : [...readOnly, own] }
}

const systemDirectories = ['/usr', '/lib', '/lib64', '/etc/ld.so.cache']

async function describe(path: string) {
  const info = await lstat(path).catch(() => undefined)
  if (info?.isSymbolicLink()) return { path, directory: false, target: await readlink(path) }
  return { path, directory: info !== undefined, target: undefined }
}
