import { invalidKernel } from '../invalid-kernel.ts'
import { type ElfFile, segmentTypes, within } from './read-elf.ts'

export interface ElfSymbol {
  readonly name: string
  readonly address: bigint
  readonly size: number
}

const sectionBytes = 64
const symbolBytes = 24
const dynamicSymbols = 11
const maxSections = 4096
const maxSymbols = 65536

/**
 * What a library offers to its users.
 * @throws AegisError `invalid` / `kernel.invalid`
 */
export function* exportedSymbols(library: Buffer): Generator<ElfSymbol> {
  const sections = sectionsOf(library)
  const table = sections.find(({ type }) => type === dynamicSymbols)
  const names = table && sections[table.link]
  if (table === undefined || names === undefined) throw invalidKernel('has no table of symbols')
  const count = Math.floor(table.size / symbolBytes)
  if (count > maxSymbols) throw invalidKernel(`has more than ${maxSymbols} symbols`)
  for (let index = 0; index < count; index += 1) {
    const at = table.offset + index * symbolBytes
    const start = library.readUInt32LE(at)
    if (start >= names.size) throw invalidKernel('has a symbol whose name is nowhere')
    const text = library.subarray(names.offset + start, names.offset + names.size)
    const end = text.indexOf(0)
    const size = library.readBigUInt64LE(at + 16)
    if (size > BigInt(library.length)) continue
    yield {
      name: text.toString('latin1', 0, end < 0 ? text.length : end),
      address: library.readBigUInt64LE(at + 8),
      size: Number(size),
    }
  }
}

/** What lies at an address once the library is loaded, as far as it comes from the file. */
export function bytesAt(library: Buffer, elf: ElfFile, address: bigint, size: number): Buffer {
  for (const segment of elf.segments) {
    const start = segment.virtualAddress
    if (segment.type !== segmentTypes.load || address < start) continue
    if (address + BigInt(size) > start + BigInt(segment.fileSize)) continue
    const from = segment.offset + Number(address - start)
    return library.subarray(from, from + size)
  }
  throw invalidKernel('has a symbol that lies in none of its segments')
}

interface Section {
  readonly type: number
  readonly offset: number
  readonly size: number
  readonly link: number
}

function sectionsOf(library: Buffer): readonly Section[] {
  const count = library.readUInt16LE(60)
  if (count > maxSections || (count > 0 && library.readUInt16LE(58) !== sectionBytes))
    throw invalidKernel('has strange section headers')
  const start = within(library, library.readBigUInt64LE(40), BigInt(count * sectionBytes))
  const sections: Section[] = []
  for (let at = start; at < start + count * sectionBytes; at += sectionBytes) {
    const type = library.readUInt32LE(at + 4)
    // What takes no room in the file may claim any size.
    const size = type === 8 ? 0n : library.readBigUInt64LE(at + 32)
    const offset = within(library, library.readBigUInt64LE(at + 24), size)
    sections.push({ type, offset, size: Number(size), link: library.readUInt32LE(at + 40) })
  }
  return sections
}
