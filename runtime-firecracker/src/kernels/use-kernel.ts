import { open } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { AegisError } from '@aegis/core'
import { inspectKernel } from './inspect-kernel.ts'
import { invalidKernel } from './invalid-kernel.ts'
import { kernelLimits } from './kernel-limits.ts'
import type { KernelRecord } from './kernel-record.ts'
import type { KernelStore } from './kernel-store.ts'

export interface UseKernelOptions {
  readonly store: KernelStore
  /** A digest or its beginning, a name of the store, or a file. What has a slash is a file. */
  readonly named: string
  readonly directory: string
  readonly now: Date
}

export interface UsedKernel {
  readonly record: KernelRecord
  /** What whoever asked should know, in sentences. */
  readonly notices: readonly string[]
}

/**
 * Has machines boot another kernel: one of the store, or a file, which is looked over and copied.
 * @throws AegisError `not-found` / `kernel.unknown` · `conflict` / `kernel.ambiguous` · `invalid` /
 * `kernel.invalid`
 */
export async function useKernel(options: UseKernelOptions): Promise<UsedKernel> {
  const { store, named, directory } = options
  const stored = named.includes('/') ? [] : (await store.list()).filter(isNamed(named))
  const [record, ...others] = stored
  if (record !== undefined && others.length > 0) throw ambiguous(named, stored)
  if (record !== undefined) {
    await store.use(record.digest)
    await store.current()
    return { record, notices: [] }
  }
  return useFile(resolve(directory, named), options)
}

const isNamed =
  (named: string) =>
  ({ name, digest }: KernelRecord): boolean =>
    name === named || (/^[0-9a-f]{6,64}$/.test(named) && digest.startsWith(named))

async function useFile(path: string, { store, named, now }: UseKernelOptions): Promise<UsedKernel> {
  const kernel = await readKernel(path, named)
  const { linux, pvh, commandLineDevices } = inspectKernel(kernel)
  const record = await store.add(kernel, {
    name: basename(path).slice(0, 200),
    linux,
    origin: { kind: 'file', path },
    arguments: [],
    needsAcpi: !commandLineDevices,
    fetchedAt: now.toISOString(),
  })
  await store.use(record.digest)
  return {
    record,
    notices: pvh
      ? []
      : ['This kernel has no PVH entry (CONFIG_PVH): Firecracker boots it, QEMU does not.'],
  }
}

async function readKernel(path: string, named: string): Promise<Buffer> {
  try {
    await using file = await open(path)
    const found = await file.stat()
    if (!found.isFile()) throw invalidKernel('is not a file')
    if (found.size > kernelLimits.kernelBytes)
      throw invalidKernel(`has ${found.size} bytes; ${kernelLimits.kernelBytes} are allowed`)
    return await file.readFile()
  } catch (cause) {
    if (cause instanceof AegisError) throw cause
    const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new AegisError(
      isAbsent ? 'not-found' : 'invalid',
      'kernel.unknown',
      isAbsent
        ? `"${named}" is neither a kernel of this node nor a file. Those of the node: aegis kernel list`
        : `The kernel ${path} cannot be read: ${cause instanceof Error ? cause.message : cause}. Name a file that you may read.`,
      { cause },
    )
  }
}

const ambiguous = (named: string, stored: readonly KernelRecord[]) =>
  new AegisError(
    'conflict',
    'kernel.ambiguous',
    `"${named}" may be each of ${stored.map(({ digest }) => digest.slice(0, 12)).join(', ')}. Name one of these digests.`,
  )
