import { execFile } from 'node:child_process'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** What Linux numbers /dev/kvm: Documentation/admin-guide/devices.txt. */
const number = { major: '10', minor: '232' } as const

/**
 * /dev/kvm as one machine's user may open it: a node of its own in the machine's directory, since the
 * host's belongs to a group. Who is not root uses the host's.
 */
export async function makeKvmDevice(directory: string, uid: number | undefined): Promise<string> {
  if (uid === undefined) return '/dev/kvm'
  const path = join(directory, 'kvm')
  const { major, minor } = number
  await promisify(execFile)('/bin/mknod', ['-m', '600', path, 'c', major, minor], { env: {} })
  await chown(path, uid, uid)
  return path
}
