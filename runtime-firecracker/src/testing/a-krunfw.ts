import { pvhNote } from '../kernels/elf/elf-notes.ts'
import { builtIn } from './a-vmlinux.ts'

export interface KrunfwParts {
  readonly load?: number
  readonly entry?: number
  readonly size?: number
  readonly pvh?: number
  readonly bundle?: string
  /** How many of the three constants the code tells. */
  readonly moves?: number
}

const at = { sections: 128, symbols: 384, names: 512, code: 640, image: 4096 } as const

/** A library with the shape of libkrunfw: a small kernel, and the code that tells about it. */
export function aKrunfw(parts: KrunfwParts = {}): Buffer {
  const { load = 0x1000000, entry = 0x1000123, size = 8192, pvh = 0x1000010 } = parts
  const { bundle = 'KERNEL_BUNDLE', moves = 3 } = parts
  const file = Buffer.alloc(at.image + 8192)
  file.write('\x7fELF\x02\x01\x01', 'latin1')
  file.writeUInt16LE(3, 16)
  file.writeUInt16LE(62, 18)
  file.writeBigUInt64LE(64n, 32)
  file.writeBigUInt64LE(BigInt(at.sections), 40)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  file.writeUInt16LE(64, 58)
  file.writeUInt16LE(3, 60)
  file.writeUInt32LE(1, 64)
  writeWords(file, 72, [0, 0, 0, file.length, file.length, 4096])
  const names = `\0${bundle}\0krunfw_get_kernel\0`
  writeSection(file, 1, { type: 11, offset: at.symbols, size: 3 * 24, link: 2 })
  writeSection(file, 2, { type: 3, offset: at.names, size: names.length, link: 0 })
  file.write(names, at.names, 'latin1')
  const code = [load, entry, size].slice(0, moves).map(move)
  writeSymbol(file, 1, 1, at.image, 8192)
  writeSymbol(file, 2, 2 + bundle.length, at.code, Buffer.concat(code).length)
  Buffer.concat(code).copy(file, at.code)
  const words = ['', 'Linux version 6.12.91 (root) #1', 'virtio_mmio.device', ...builtIn, '']
  file.write(words.join('\0'), at.image + 1024, 'latin1')
  pvhNote(pvh).copy(file, at.image + 2048)
  return file
}

/** `movq $value, (%rax)` */
function move(value: number): Buffer {
  const code = Buffer.from('48c70000000000', 'hex')
  code.writeUInt32LE(value, 3)
  return code
}

function writeSection(
  file: Buffer,
  index: number,
  section: Readonly<Record<'type' | 'offset' | 'size' | 'link', number>>,
): void {
  const start = at.sections + index * 64
  file.writeUInt32LE(section.type, start + 4)
  writeWords(file, start + 24, [section.offset, section.size])
  file.writeUInt32LE(section.link, start + 40)
}

function writeSymbol(file: Buffer, index: number, name: number, address: number, size: number) {
  const start = at.symbols + index * 24
  file.writeUInt32LE(name, start)
  writeWords(file, start + 8, [address, size])
}

function writeWords(file: Buffer, start: number, values: readonly number[]): void {
  for (const [index, value] of values.entries())
    file.writeBigUInt64LE(BigInt(value), start + index * 8)
}
