import { AegisError, type SandboxId } from '@aegis/core'

/** Where the jailer puts a machine's process: a group that is there already, with its limits. */
export interface JailerGroup {
  readonly version: 1 | 2
  /** Below the mount point of the hierarchies: `aegis/0123456789ab`. The id is the group in it. */
  readonly parent: string
  /** What is written again by the jailer: file and value, as in `memory.max=134217728`. */
  readonly values: readonly (readonly [file: string, value: string])[]
}

export interface JailerCommand {
  readonly id: SandboxId
  readonly firecrackerPath: string
  readonly chrootBase: string
  /** Of this machine alone; the gid has the same number. */
  readonly uid: number
  /** Absent where this host has no cgroups that we may use. */
  readonly group: JailerGroup | undefined
  /** Largest file that Firecracker may write: its scratch disk or a snapshot's memory. */
  readonly fileBytes: number
}

/** Descriptors of one Firecracker: a dozen of its own, and one for each connection over the wire. */
export const fileDescriptors = 256

/** Where Firecracker listens, in its jail. */
export const apiSocket = '/api.sock'

/**
 * Arguments of one jailer. Firecracker's own filter of system calls is never turned off, and there is
 * no option here to do so.
 * @throws AegisError `invalid` / `machine.id` the jailer would not take the id, or for an option
 */
export function jailerArguments(command: JailerCommand): readonly string[] {
  const { id, firecrackerPath, chrootBase, uid, group, fileBytes } = command
  if (!machineId.test(id))
    throw new AegisError(
      'invalid',
      'machine.id',
      `A machine cannot be called "${id.slice(0, 80)}". Use 1 to 64 letters, digits and hyphens, none in front`,
    )
  return [
    ...['--id', id, '--exec-file', firecrackerPath],
    ...['--uid', `${uid}`, '--gid', `${uid}`],
    ...['--chroot-base-dir', chrootBase],
    '--new-pid-ns',
    ...['--resource-limit', `no-file=${fileDescriptors}`],
    ...['--resource-limit', `fsize=${fileBytes}`],
    ...(group === undefined ? [] : groupArguments(group)),
    '--',
    // What it says before it is told where to write goes to the console.
    ...['--api-sock', apiSocket, '--level', 'Warning'],
  ]
}

/** What the jailer takes, and nothing that looks like an option. */
const machineId = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/

const groupArguments = ({ version, parent, values }: JailerGroup): readonly string[] => [
  // Always said: the jailer's own default is version 1.
  ...['--cgroup-version', `${version}`, '--parent-cgroup', parent],
  ...values.flatMap(([file, value]) => ['--cgroup', `${file}=${value}`]),
]
