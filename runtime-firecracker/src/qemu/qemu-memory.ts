import { execFile } from 'node:child_process'
import { chmod, chown, open, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'
import type { MachinePlan } from '../machine/machine-plan.ts'
import type { MachineSnapshot } from '../machine/monitor.ts'
import type { MemoryKind } from './qemu-command.ts'

/** A machine's memory that is a file on the host. */
export interface QemuMemory {
  readonly kind: MemoryKind
  readonly path: string
  readonly writable: boolean
}

/** The memory of a machine that a snapshot will be made of: a sparse file of its own. */
export async function makeMemory(
  directory: string,
  { memoryBytes }: Pick<MachinePlan, 'memoryBytes'>,
  uid: number | undefined,
): Promise<QemuMemory> {
  // Where the disk gets full later, QEMU dies of it in the middle of whatever it does.
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize < memoryBytes) throw noRoom(directory, memoryBytes)
  const path = join(directory, 'memory')
  await using file = await open(path, 'wx', 0o600)
  await file.truncate(Math.ceil(memoryBytes / mebibyte) * mebibyte)
  if (uid !== undefined) await file.chown(uid, uid)
  return { kind: 'file', path, writable: true }
}

/**
 * The memory of a machine that comes out of a snapshot. A QEMU that opens the snapshot's file for
 * writing gets a copy: nobody may be able to change what other machines start from.
 */
export async function lendMemory(
  directory: string,
  { memoryPath }: Pick<MachineSnapshot, 'memoryPath'>,
  qemu: { readonly uid: number | undefined; readonly opensImages: boolean },
  signal: AbortSignal,
): Promise<QemuMemory> {
  if (qemu.opensImages) return { kind: 'image', path: memoryPath, writable: false }
  const path = join(directory, 'memory')
  await run('/bin/cp', ['--reflink=auto', '--sparse=auto', '--', memoryPath, path], {
    signal,
    timeout: copyTimeoutMs,
    env: { LC_ALL: 'C' },
  }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw notCopied(memoryPath, cause)
  })
  await chmod(path, 0o600)
  if (qemu.uid !== undefined) await chown(path, qemu.uid, qemu.uid)
  return { kind: 'copy', path, writable: true }
}

const run = promisify(execFile)
const mebibyte = 1 << 20
const copyTimeoutMs = 60_000

const noRoom = (directory: string, bytes: number): AegisError =>
  new AegisError(
    'exhausted',
    'machine.disk',
    `The memory of a machine that becomes a snapshot is a file of ${Math.ceil(bytes / mebibyte)} MiB, and the disk has no room for it at ${directory}. Free some space where AEGIS_HOME lies`,
  )

function notCopied(path: string, cause: unknown): AegisError {
  const words = cause instanceof Error ? cause.message : String(cause)
  const full = /No space left/i.test(words)
  return new AegisError(
    full ? 'exhausted' : 'unavailable',
    'machine.disk',
    `The memory of a snapshot could not be copied from ${path}: ${words.trim().slice(0, 500)}${full ? '. Free some space where AEGIS_HOME lies' : ''}`,
    { cause },
  )
}
