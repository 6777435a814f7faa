import { pvhNote } from '../kernels/elf/elf-notes.ts'

export interface VmlinuxParts {
  readonly banner?: string
  readonly entry?: bigint
  /** Where its PVH note points; false: it has none. */
  readonly pvh?: number | false
  readonly text?: string
  /** That it has built in. */
  readonly drivers?: readonly string[]
  readonly type?: number
  readonly machine?: number
}

export const builtIn = ['virtio_blk', 'virtio-mmio', 'erofs']

export const loadedAt = 0x100_0000

/** A file with the shape of a kernel: one page that is loaded, a banner, and a PVH note. */
export function aVmlinux(parts: VmlinuxParts = {}): Buffer {
  const { banner = 'Linux version 6.1.90 (builder) #1 SMP', entry = BigInt(loadedAt + 16) } = parts
  const { pvh = loadedAt, text = '', type = 2, machine = 62 } = parts
  const { drivers = builtIn } = parts
  const image = Buffer.alloc(4096)
  image.write(`\0${[banner, text, ...drivers].join('\0')}\0`, 64, 'latin1')
  const note = pvh === false ? Buffer.alloc(0) : pvhNote(pvh)
  const header = Buffer.alloc(64 + 2 * 56)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(type, 16)
  header.writeUInt16LE(machine, 18)
  header.writeBigUInt64LE(entry, 24)
  header.writeBigUInt64LE(64n, 32)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(2, 56)
  segment(header, 64, 1, header.length + note.length, loadedAt, image.length)
  segment(header, 64 + 56, 4, header.length, 0, note.length)
  return Buffer.concat([header, note, image])
}

function segment(
  header: Buffer,
  at: number,
  type: number,
  offset: number,
  address: number,
  size: number,
): void {
  header.writeUInt32LE(type, at)
  for (const [index, value] of [offset, address, address, size, size].entries())
    header.writeBigUInt64LE(BigInt(value), at + 8 + index * 8)
}

/** Answers with the error of a call that throws one. */
export function failureOf(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}
