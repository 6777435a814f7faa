import { type ElfFile, segmentTypes } from './read-elf.ts'

export interface ElfNote {
  readonly name: string
  readonly type: number
  readonly content: Buffer
}

/** Says at which physical address a kernel is entered the PVH way: 32 bits, no paging. */
const pvhEntry = { name: 'Xen', type: 18 } as const

const headerBytes = 12
const maxNotes = 256

/** The notes of all note segments; what follows a broken one is left out. */
export function* notesOf(file: Buffer, elf: ElfFile): Generator<ElfNote> {
  let left = maxNotes
  for (const { type, offset, fileSize } of elf.segments) {
    if (type !== segmentTypes.note) continue
    const segment = file.subarray(offset, offset + fileSize)
    for (let at = 0; left > 0 && at + headerBytes <= segment.length; left -= 1) {
      const nameBytes = segment.readUInt32LE(at)
      const contentBytes = segment.readUInt32LE(at + 4)
      const name = at + headerBytes
      const content = name + aligned(nameBytes)
      if (content + contentBytes > segment.length) break
      yield {
        name: segment.toString('latin1', name, name + Math.max(0, nameBytes - 1)),
        type: segment.readUInt32LE(at + 8),
        content: segment.subarray(content, content + contentBytes),
      }
      at = content + aligned(contentBytes)
    }
  }
}

/** Where the PVH note of a kernel points, if it has one. */
export function pvhEntryOf(file: Buffer, elf: ElfFile): bigint | undefined {
  for (const { name, type, content } of notesOf(file, elf)) {
    if (name !== pvhEntry.name || type !== pvhEntry.type) continue
    if (content.length === 4) return BigInt(content.readUInt32LE(0))
    if (content.length === 8) return content.readBigUInt64LE(0)
  }
  return undefined
}

/** Offset of the content of a PVH note in an image that has lost its headers. */
export function findPvhEntry(image: Buffer): bigint | undefined {
  const found = new Set<bigint>()
  for (const contentBytes of [4, 8]) {
    const header = pvhNoteHeader(contentBytes)
    for (let at = image.indexOf(header); at >= 0; at = image.indexOf(header, at + 1)) {
      const content = at + header.length
      if (content + contentBytes > image.length) break
      found.add(
        contentBytes === 4 ? BigInt(image.readUInt32LE(content)) : image.readBigUInt64LE(content),
      )
      if (found.size > 1) return undefined
    }
  }
  const [entry] = found
  return entry
}

export function pvhNote(entry: number): Buffer {
  const content = Buffer.alloc(4)
  content.writeUInt32LE(entry)
  return Buffer.concat([pvhNoteHeader(4), content])
}

function pvhNoteHeader(contentBytes: number): Buffer {
  const header = Buffer.alloc(headerBytes + 4)
  header.writeUInt32LE(pvhEntry.name.length + 1, 0)
  header.writeUInt32LE(contentBytes, 4)
  header.writeUInt32LE(pvhEntry.type, 8)
  header.write(pvhEntry.name, headerBytes, 'latin1')
  return header
}

const aligned = (bytes: number): number => Math.ceil(bytes / 4) * 4
