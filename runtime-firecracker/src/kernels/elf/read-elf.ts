import { invalidKernel } from '../invalid-kernel.ts'

/** A part of an ELF file that is loaded, or a note. */
export interface ElfSegment {
  readonly type: number
  readonly offset: number
  readonly fileSize: number
  readonly memorySize: bigint
  readonly virtualAddress: bigint
  readonly physicalAddress: bigint
}

export interface ElfFile {
  /** 2: a program at fixed addresses, 3: a library. */
  readonly type: number
  readonly entry: bigint
  readonly segments: readonly ElfSegment[]
}

export const segmentTypes = { load: 1, note: 4 } as const
export const elfTypes = { program: 2, library: 3 } as const

const headerBytes = 64
const segmentBytes = 56
const maxSegments = 128
const x86_64 = 62

export const isElf = (file: Buffer): boolean =>
  file.length >= 4 && file.readUInt32BE(0) === 0x7f454c46

/**
 * Header and segments of an ELF file for x86-64. Every segment lies within the file.
 * @throws AegisError `invalid` / `kernel.invalid`
 */
export function readElf(file: Buffer): ElfFile {
  if (!isElf(file)) throw invalidKernel('is not an ELF file')
  if (file.length < headerBytes) throw invalidKernel('ends within the header of an ELF file')
  if (file[4] !== 2 || file[5] !== 1) throw invalidKernel('is an ELF file, but not of 64 bits')
  if (file.readUInt16LE(18) !== x86_64) throw invalidKernel('is not for x86-64')
  const count = file.readUInt16LE(56)
  if (count === 0 || count > maxSegments)
    throw invalidKernel(`has ${count} segments; 1 to ${maxSegments} are possible`)
  if (file.readUInt16LE(54) !== segmentBytes)
    throw invalidKernel('has segment headers of a strange size')
  const start = within(file, file.readBigUInt64LE(32), BigInt(count * segmentBytes))
  return {
    type: file.readUInt16LE(16),
    entry: file.readBigUInt64LE(24),
    segments: Array.from({ length: count }, (_, index) =>
      readSegment(file, start + index * segmentBytes),
    ),
  }
}

function readSegment(file: Buffer, at: number): ElfSegment {
  const fileSize = file.readBigUInt64LE(at + 32)
  const memorySize = file.readBigUInt64LE(at + 40)
  const type = file.readUInt32LE(at)
  if (type === segmentTypes.load && fileSize > memorySize)
    throw invalidKernel('has a segment that is larger in the file than in memory')
  return {
    type,
    offset: within(file, file.readBigUInt64LE(at + 8), fileSize),
    fileSize: Number(fileSize),
    memorySize,
    virtualAddress: file.readBigUInt64LE(at + 16),
    physicalAddress: file.readBigUInt64LE(at + 24),
  }
}

/** The offset as a number, when all that is meant lies in the file. */
export function within(file: Buffer, offset: bigint, size: bigint): number {
  if (offset + size > BigInt(file.length)) throw invalidKernel('points behind its own end')
  return Number(offset)
}
