import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { AegisError } from '@aegis/core'
import type { GuestKernel } from '../machine/machine-plan.ts'
import { type KernelRecord, parseKernelRecord } from './kernel-record.ts'

/**
 * The kernels of a node: `<directory>/<digest>/vmlinux`, what is known of it beside it in
 * `kernel.json`, and in `<directory>/current` the digest of the one that machines boot.
 */
export interface KernelStore {
  /**
   * The kernel that machines boot. Its file was read and is the one that was stored.
   * @throws AegisError `unsupported` / `kernel.absent` none was fetched yet · `unavailable` /
   * `kernel.altered`, `kernel.record`
   */
  current(): Promise<GuestKernel>
  /** What is known of the same; undefined when none was fetched yet. */
  currentRecord(): Promise<KernelRecord | undefined>
}

export function openKernelStore(directory: string): KernelStore {
  const currentRecord = async () => {
    const digest = await readCurrent(directory)
    return digest === undefined ? undefined : readRecord(directory, digest)
  }
  return {
    currentRecord,
    async current() {
      const record = await currentRecord()
      if (record === undefined) throw absent()
      const path = join(directory, record.digest, 'vmlinux')
      await check(path, record.digest)
      return {
        path,
        digest: record.digest,
        arguments: record.arguments,
        ...(record.needsAcpi && { needsAcpi: true }),
      }
    },
  }
}

const absent = () =>
  new AegisError(
    'unsupported',
    'kernel.absent',
    'Micro-VMs need a kernel of their own, and this node has none yet. Fetch one: aegis kernel fetch',
  )

async function readCurrent(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'current'), 'utf8').catch(undefinedIfAbsent)
  const digest = text?.trim()
  return digest !== undefined && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined
}

async function readRecord(directory: string, digest: string): Promise<KernelRecord | undefined> {
  const path = join(directory, digest, 'kernel.json')
  const text = await readFile(path, 'utf8').catch(undefinedIfAbsent)
  return text === undefined ? undefined : parseKernelRecord(text, path)
}

async function check(path: string, digest: string): Promise<void> {
  const hash = createHash('sha256')
  let problem: string | undefined
  try {
    await pipeline(createReadStream(path), hash)
    if (hash.digest('hex') !== digest) problem = 'was changed since it was stored'
  } catch (error) {
    problem = `cannot be read: ${error instanceof Error ? error.message : error}`
  }
  if (problem !== undefined)
    throw new AegisError(
      'unavailable',
      'kernel.altered',
      `The kernel ${path} ${problem}. Fetch it again: aegis kernel fetch`,
    )
}

function undefinedIfAbsent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
