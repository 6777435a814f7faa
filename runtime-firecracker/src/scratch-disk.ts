import { execFile } from 'node:child_process'
import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'

/**
 * Makes the disk of all that one machine writes: a sparse file with two partitions. The first is for
 * /workspace and the few files that the guest lays over the image, the second for /tmp, so that neither
 * can fill the other.
 * @throws AegisError `exhausted` / `machine.disk` the host's disk is full · `unsupported` /
 * `machine.mke2fs` · `unavailable` / `machine.disk`
 */
export async function makeScratchDisk(
  path: string,
  diskBytes: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await using file = await open(path, 'wx+', 0o600)
    const sizeBytes = await exactBytes(path, file, diskBytes, signal)
    const partitions = [0, 1].map((index) => ({
      offsetBytes: firstOffsetBytes + index * sizeBytes,
      sizeBytes,
      inodes: inodesFor(diskBytes),
    }))
    await file.truncate(0)
    await file.truncate(firstOffsetBytes + partitions.length * sizeBytes)
    await file.write(partitionTable(partitions), 0, sectorBytes, 0)
    // One after the other: mke2fs locks the whole file.
    for (const partition of partitions) await format(path, partition, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw asDiskFailure(path, error)
  }
}

interface Partition {
  /** As many in each attempt, so that nothing but the size differs. */
  readonly inodes: number
  readonly offsetBytes: number
  readonly sizeBytes: number
}

const run = promisify(execFile)
const sectorBytes = 512
const blockBytes = 4096
const firstOffsetBytes = 1 << 20

/**
 * How large a file system is in which just this much is free: what it keeps for itself comes on top.
 * It is made once, a little too large, and asked.
 */
async function exactBytes(
  path: string,
  file: FileHandle,
  diskBytes: number,
  signal: AbortSignal,
): Promise<number> {
  const bytes = Math.ceil((diskBytes * 17) / 16 / blockBytes) * blockBytes + (2 << 20)
  await file.truncate(firstOffsetBytes + bytes)
  const inodes = inodesFor(diskBytes)
  await format(path, { offsetBytes: firstOffsetBytes, sizeBytes: bytes, inodes }, signal)
  const superblock = Buffer.alloc(64)
  await file.read(superblock, 0, superblock.length, firstOffsetBytes + 1024)
  if (superblock.readUInt16LE(56) !== ext4Magic) throw new Error('mke2fs made no ext4')
  const freeBlocks = superblock.readUInt32LE(12)
  return bytes - Math.max(0, freeBlocks - Math.ceil(diskBytes / blockBytes)) * blockBytes
}

const ext4Magic = 0xef53

/** For files of 8 KiB on average, and a few hundred on the smallest disk. */
const inodesFor = (diskBytes: number): number => Math.max(256, Math.ceil(diskBytes / 8192))

/** As old as the PC, and read by every kernel. */
export function partitionTable(partitions: readonly Omit<Partition, 'inodes'>[]): Buffer {
  const sector = Buffer.alloc(sectorBytes)
  partitions.forEach(({ offsetBytes, sizeBytes }, index) => {
    const entry = 446 + index * 16
    sector.writeUInt8(linuxPartition, entry + 4)
    sector.writeUInt32LE(offsetBytes / sectorBytes, entry + 8)
    sector.writeUInt32LE(sizeBytes / sectorBytes, entry + 12)
  })
  sector.writeUInt16BE(0x55aa, sectorBytes - 2)
  return sector
}

const linuxPartition = 0x83

async function format(path: string, partition: Partition, signal: AbortSignal): Promise<void> {
  const { offsetBytes, sizeBytes, inodes } = partition
  // No journal: nobody reads the disk after its machine.
  const options = ['-O', '^has_journal,^resize_inode', '-m', '0', '-b', `${blockBytes}`]
  const counts = ['-N', `${inodes}`]
  const extended = `offset=${offsetBytes},lazy_itable_init=1,nodiscard,root_owner=0:0`
  await run(
    'mke2fs',
    ['-q', '-F', '-t', 'ext4', ...options, ...counts, '-E', extended, path, `${sizeBytes / 1024}k`],
    { signal, timeout: 60_000, env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' } },
  )
}

function asDiskFailure(path: string, cause: unknown): AegisError {
  const { code, stderr } = cause as { code?: unknown; stderr?: unknown }
  const words = `${cause instanceof Error ? cause.message : cause} ${stderr ?? ''}`
  if (code === 'ENOENT' && /spawn mke2fs/.test(words))
    return new AegisError(
      'unsupported',
      'machine.mke2fs',
      'The disk of a micro-VM is made with mke2fs, which is not there. Install it: apt-get install e2fsprogs',
      { cause },
    )
  if (code === 'ENOSPC' || /No space left/i.test(words))
    return new AegisError(
      'exhausted',
      'machine.disk',
      `The disk of the host is full: ${path} could not be made. Free some space where AEGIS_HOME lies`,
      { cause },
    )
  return new AegisError(
    'unavailable',
    'machine.disk',
    `The disk of a micro-VM could not be made at ${path}: ${words.trim().slice(0, 500)}`,
    { cause },
  )
}
