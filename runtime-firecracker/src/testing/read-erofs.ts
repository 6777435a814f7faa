import { crc32c } from '../images/erofs/crc32c.ts'
import { fileTypes, modeTypes } from '../images/erofs/on-disk.ts'

/** An inode as it was read back, with all names that lead to it. */
export interface ReadNode {
  readonly kind: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeSeconds: number
  readonly mtimeNanoseconds: number
  readonly links: number
  readonly content: Buffer
  readonly device: number
  readonly nid: number
}

/**
 * Reads an image independently of what wrote it, by the kernel's rules, and throws where the kernel
 * would call it corrupt. Paths are in latin1, one character a byte.
 */
export function readErofs(image: Buffer): ReadonlyMap<string, ReadNode> {
  const superblock = image.subarray(1024, 1152)
  check(superblock.readUInt32LE(0) === 0xe0f5e1e2, 'magic')
  check(superblock.readUInt8(12) === 12, 'block size')
  check(superblock.readUInt32LE(80) === 0, 'incompatible features')
  const blocks = superblock.readUInt32LE(36)
  check(blocks * 4096 === image.length, 'number of blocks')
  const summed = Buffer.from(image.subarray(1024, 4096))
  summed.writeUInt32LE(0, 4)
  check(crc32c(summed) === superblock.readUInt32LE(4), 'checksum')

  const found = new Map<string, ReadNode>()
  const visit = (nid: number, path: string, parentNid: number): ReadNode => {
    const node = readInode(image, nid, blocks)
    found.set(path, node)
    if (node.kind !== 'directory') return node
    const entries = readDirectory(node.content)
    check(entries.find(({ name }) => name === '.')?.nid === nid, '“.”')
    check(entries.find(({ name }) => name === '..')?.nid === parentNid, '“..”')
    for (const entry of entries) {
      if (entry.name === '.' || entry.name === '..') continue
      const child = visit(entry.nid, `${path}/${entry.name}`, nid)
      check(child.kind === entry.kind, 'type in the directory')
    }
    return node
  }
  const rootNid = superblock.readUInt16LE(14)
  visit(rootNid, '', rootNid)
  const inodes = new Set([...found.values()].map(({ nid }) => nid))
  check(Number(superblock.readBigUInt64LE(16)) === inodes.size, 'number of inodes')
  return found
}

function readInode(image: Buffer, nid: number, blocks: number): ReadNode {
  const start = nid * 32
  check(start % 4096 <= 4096 - 64, 'inode within its block')
  const inode = image.subarray(start, start + 64)
  const format = inode.readUInt16LE(0)
  check((format & 1) === 1 && inode.readUInt16LE(2) === 0, 'extended inode without attributes')
  const layout = format >> 1
  check(layout === 0 || layout === 2, 'layout')
  const fullMode = inode.readUInt16LE(4)
  const kind = Object.entries(modeTypes).find(([, bits]) => bits === (fullMode & 0o170000))?.[0]
  const size = Number(inode.readBigUInt64LE(8))
  const address = inode.readUInt32LE(16)
  const isDevice = kind === 'character' || kind === 'block'
  const tail = layout === 2 ? size % 4096 : 0
  const whole = size - tail
  if (whole > 0) check(address > 0 && address + Math.ceil(whole / 4096) <= blocks, 'address')
  check((start % 4096) + 64 + tail <= 4096, 'inline content within the block')
  return {
    kind: kind ?? '',
    mode: fullMode & 0o7777,
    uid: inode.readUInt32LE(24),
    gid: inode.readUInt32LE(28),
    mtimeSeconds: Number(inode.readBigInt64LE(32)),
    mtimeNanoseconds: inode.readUInt32LE(40),
    links: inode.readUInt32LE(44),
    content: Buffer.concat([
      image.subarray(address * 4096, address * 4096 + (isDevice ? 0 : whole)),
      image.subarray(start + 64, start + 64 + tail),
    ]),
    device: isDevice ? address : 0,
    nid,
  }
}

function readDirectory(content: Buffer) {
  const entries: { readonly name: string; readonly nid: number; readonly kind: string }[] = []
  for (let at = 0; at < content.length; at += 4096) {
    const block = content.subarray(at, at + 4096)
    const count = block.readUInt16LE(8) / 12
    check(Number.isInteger(count) && count > 0, 'entries of a block')
    for (let index = 0; index < count; index++) {
      const nameAt = block.readUInt16LE(index * 12 + 8)
      const rest = block.subarray(nameAt)
      const zero = rest.indexOf(0)
      const next =
        index + 1 < count
          ? block.readUInt16LE(index * 12 + 20) - nameAt
          : zero < 0
            ? rest.length
            : zero
      const type = block.readUInt8(index * 12 + 10)
      entries.push({
        name: rest.toString('latin1', 0, next),
        nid: Number(block.readBigUInt64LE(index * 12)),
        kind: Object.entries(fileTypes).find(([, code]) => code === type)?.[0] ?? '',
      })
    }
  }
  for (const [index, { name }] of entries.entries()) {
    check(name.length > 0 && name.length <= 255, 'length of a name')
    const before = entries[index - 1]
    if (before !== undefined)
      check(
        Buffer.compare(Buffer.from(before.name, 'latin1'), Buffer.from(name, 'latin1')) < 0,
        'order',
      )
  }
  return entries
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The image is corrupt: ${what}`)
}
