import { pvhEntryOf } from './elf/elf-notes.ts'
import { type ElfSegment, elfTypes, isElf, readElf, segmentTypes } from './elf/read-elf.ts'
import { invalidKernel } from './invalid-kernel.ts'
import { kernelLimits } from './kernel-limits.ts'

export interface KernelFacts {
  /** Of Linux: `6.12.91`. */
  readonly linux: string
  /** Has an entry for monitors that start a kernel the PVH way; QEMU starts no other. */
  readonly pvh: boolean
  /** Can be told on its command line where its disks are; else it needs ACPI. */
  readonly commandLineDevices: boolean
}

/**
 * Looks a file over that should be an uncompressed kernel for x86-64.
 * @throws AegisError `invalid` / `kernel.invalid` it is not, and what it is instead; or it could not
 * find its disks. `hasModules`: its drivers come along.
 */
export function inspectKernel(file: Buffer, { hasModules = false } = {}): KernelFacts {
  if (!isElf(file)) throw notElf(file)
  const elf = readElf(file)
  if (elf.type !== elfTypes.program)
    throw invalidKernel('is a library, or a program that may lie anywhere')
  const loads = elf.segments.filter(({ type }) => type === segmentTypes.load)
  const bytes = loads.reduce((sum, { memorySize }) => sum + memorySize, 0n)
  if (bytes > BigInt(kernelLimits.kernelBytes))
    throw invalidKernel(`takes ${bytes} bytes; ${kernelLimits.kernelBytes} are allowed`)
  if (loads.some(({ physicalAddress, memorySize }) => physicalAddress + memorySize > fourGiB))
    throw invalidKernel('is to be loaded beyond 4 GiB')
  if (!covers(loads, elf.entry)) throw invalidKernel('is entered where nothing of it is loaded')
  const pvh = pvhEntryOf(file, elf)
  if (pvh !== undefined && !coversPhysically(loads, pvh))
    throw invalidKernel('has a PVH note that points outside it')
  const linux = linuxVersion(file)
  if (linux === undefined) throw invalidKernel('is a program, but not Linux')
  const missing = hasModules ? [] : neededDrivers.filter((name) => !file.includes(`${name}\0`))
  if (missing.length > 0)
    throw invalidKernel(
      `has no ${missing.join(', ')} built in, but at most as modules, and a micro-VM has none`,
      'Build it with CONFIG_VIRTIO_BLK=y, CONFIG_VIRTIO_MMIO=y and CONFIG_EROFS_FS=y, or fetch one: aegis kernel fetch',
    )
  const commandLineDevices = file.includes('virtio_mmio.device')
  return { linux, pvh: pvh !== undefined, commandLineDevices }
}

/** Without these it finds no disk. Each names itself so in the kernel that it is part of. */
const neededDrivers = ['virtio_blk', 'virtio-mmio', 'erofs']

const fourGiB = 1n << 32n

const covers = (loads: readonly ElfSegment[], address: bigint): boolean =>
  coversPhysically(loads, address) ||
  loads.some(
    ({ virtualAddress: start, memorySize }) => address >= start && address < start + memorySize,
  )

const coversPhysically = (loads: readonly ElfSegment[], address: bigint): boolean =>
  loads.some(
    ({ physicalAddress: start, memorySize }) => address >= start && address < start + memorySize,
  )

const banner = 'Linux version '
const maxBanners = 64

/** From its banner. The words before the number also stand elsewhere, as in formats. */
function linuxVersion(file: Buffer): string | undefined {
  let at = file.indexOf(banner)
  for (let seen = 0; at >= 0 && seen < maxBanners; seen += 1) {
    const text = file.toString('latin1', at + banner.length, at + banner.length + 100)
    const version = /^\d{1,3}\.\d{1,4}(?:\.\d{1,5})?[\w.+~-]{0,80}(?=\s)/.exec(text)?.[0]
    if (version !== undefined) return version
    at = file.indexOf(banner, at + 1)
  }
  return undefined
}

function notElf(file: Buffer) {
  if (isBzImage(file))
    return invalidKernel(
      'is a bzImage, whose kernel is still compressed',
      'Unpack it with scripts/extract-vmlinux of the Linux sources, or fetch one: aegis kernel fetch',
    )
  for (const [name, magic] of compressions)
    if (file.subarray(0, magic.length).equals(magic))
      return invalidKernel(`is compressed with ${name}`, `Unpack it first: ${name} -d`)
  return invalidKernel('is not an ELF file')
}

export const isBzImage = (file: Buffer): boolean =>
  file.length > 0x206 && file.toString('latin1', 0x202, 0x206) === 'HdrS'

const compressions: readonly (readonly [name: string, magic: Buffer])[] = [
  ['gzip', Buffer.from('1f8b', 'hex')],
  ['xz', Buffer.from('fd377a585a00', 'hex')],
  ['zstd', Buffer.from('28b52ffd', 'hex')],
  ['bzip2', Buffer.from('BZh')],
]
