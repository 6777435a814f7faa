import { findPvhEntry, pvhNote } from './elf/elf-notes.ts'
import { bytesAt, type ElfSymbol, exportedSymbols } from './elf/elf-symbols.ts'
import { readElf, segmentTypes } from './elf/read-elf.ts'
import { invalidKernel } from './invalid-kernel.ts'

/**
 * The kernel inside libkrunfw, as an ELF vmlinux. The library is a table of bytes and a function
 * that says where to load them, how many, and where to enter: all three are constants in its code.
 * @throws AegisError `invalid` / `kernel.invalid`
 */
export function kernelOfKrunfw(library: Buffer): Buffer {
  const elf = readElf(library)
  const symbols = new Map<string, ElfSymbol>()
  for (const symbol of exportedSymbols(library)) symbols.set(symbol.name, symbol)
  const bundle = symbols.get('KERNEL_BUNDLE')
  const teller = symbols.get('krunfw_get_kernel')
  if (bundle === undefined || teller === undefined || teller.size > maxCodeBytes)
    throw invalidKernel('is a library without KERNEL_BUNDLE, so not libkrunfw')
  const { load, entry, size } = constantsOf(bytesAt(library, elf, teller.address, teller.size))
  if (size > bundle.size || entry < load || entry >= load + size)
    throw invalidKernel('says of its kernel what cannot be')
  const image = bytesAt(library, elf, bundle.address, size)
  const pvh = findPvhEntry(image)
  if (pvh === undefined || pvh < BigInt(load) || pvh >= BigInt(load + size))
    throw invalidKernel('is a libkrunfw whose kernel has no PVH note')
  return wrap(image, { load, entry, pvh: Number(pvh) })
}

const maxCodeBytes = 256

/** `movq $constant, (%register)`: where to load, where to enter, how many bytes. */
function constantsOf(code: Buffer) {
  const constants: number[] = []
  for (let at = 0; at + 7 <= code.length; at += 1) {
    const [prefix, opcode, operand] = code.subarray(at, at + 3)
    if (prefix !== 0x48 || opcode !== 0xc7 || operand === undefined || operand > 7) continue
    // 4 and 5 name no register, but mean that more of the address follows.
    if (operand === 4 || operand === 5) continue
    constants.push(code.readUInt32LE(at + 3))
    at += 6
  }
  const [load, entry, size] = constants
  if (constants.length !== 3 || load === undefined || entry === undefined || size === undefined)
    throw invalidKernel('is a libkrunfw that says in an unknown way where its kernel belongs')
  return { load, entry, size }
}

const headerBytes = 64
const segmentBytes = 56
const imageOffset = 4096

function wrap(
  image: Buffer,
  { load, entry, pvh }: { readonly load: number; readonly entry: number; readonly pvh: number },
): Buffer {
  const note = pvhNote(pvh)
  const noteOffset = headerBytes + 2 * segmentBytes
  const header = Buffer.alloc(imageOffset)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(2, 16)
  header.writeUInt16LE(62, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BigInt(entry), 24)
  header.writeBigUInt64LE(BigInt(headerBytes), 32)
  header.writeUInt16LE(headerBytes, 52)
  header.writeUInt16LE(segmentBytes, 54)
  header.writeUInt16LE(2, 56)
  writeSegment(header, headerBytes, {
    ...{ type: segmentTypes.load, flags: 7, offset: imageOffset },
    ...{ address: load, size: image.length, alignment: 4096 },
  })
  writeSegment(header, headerBytes + segmentBytes, {
    ...{ type: segmentTypes.note, flags: 4, offset: noteOffset },
    ...{ address: 0, size: note.length, alignment: 4 },
  })
  note.copy(header, noteOffset)
  return Buffer.concat([header, image])
}

function writeSegment(
  header: Buffer,
  at: number,
  segment: Readonly<Record<'type' | 'flags' | 'offset' | 'address' | 'size' | 'alignment', number>>,
): void {
  const { type, flags, offset, address, size, alignment } = segment
  header.writeUInt32LE(type, at)
  header.writeUInt32LE(flags, at + 4)
  for (const [index, value] of [offset, address, address, size, size, alignment].entries())
    header.writeBigUInt64LE(BigInt(value), at + 8 + index * 8)
}
