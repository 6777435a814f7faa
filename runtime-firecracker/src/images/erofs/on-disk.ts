import { crc32c } from './crc32c.ts'
import type { Attributes, TreeNode } from './tree.ts'

/**
 * The part of EROFS that this product writes, after the kernel's description of it
 * (Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h): blocks of 4 KiB, inodes of 64 bytes,
 * nothing compressed. All numbers are little-endian.
 */
export const blockBytes = 4096
export const superblockOffset = 1024
export const superblockBytes = 128
export const inodeBytes = 64
/** Inodes are addressed in steps of this. */
export const slotBytes = 32
export const direntBytes = 12
export const magic = 0xe0f5e1e2

/** The superblock carries a checksum; the times in inodes are those of modification. */
const compatibleFeatures = 0x1 | 0x2

/** How an inode keeps its content: in blocks alone, or with what is left of them behind itself. */
export const layouts = { plain: 0, inline: 2 } as const
export type Layout = keyof typeof layouts

const extendedInode = 1

export const fileTypes = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
} as const satisfies Record<TreeNode['kind'], number>

/** The upper bits of `st_mode`. */
export const modeTypes = {
  file: 0o100000,
  directory: 0o040000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
  symlink: 0o120000,
} as const satisfies Record<TreeNode['kind'], number>

export interface Superblock {
  readonly rootNid: number
  readonly inodes: number
  readonly blocks: number
}

/** Writes the superblock into the first block, whose other content the checksum covers too. */
export function putSuperblock(first: Buffer, { rootNid, inodes, blocks }: Superblock): void {
  const block = first.subarray(superblockOffset)
  block.writeUInt32LE(magic, 0)
  block.writeUInt32LE(0, 4)
  block.writeUInt32LE(compatibleFeatures, 8)
  block.writeUInt8(Math.log2(blockBytes), 12)
  block.writeUInt16LE(rootNid, 14)
  putNumber64(block, inodes, 16)
  block.writeUInt32LE(blocks, 36)
  block.writeUInt32LE(crc32c(block), 4)
}

export interface InodeFields {
  readonly kind: TreeNode['kind']
  readonly attributes: Attributes
  readonly sizeBytes: number
  readonly layout: Layout
  /** First of its blocks; of a device, its number. */
  readonly address: number
  /** Counts the inodes, for programs that know 32 bits of them. */
  readonly number: number
  readonly links: number
}

/** Of the number of links, in an inode. */
export const linksOffset = 44

export function putInode(target: Buffer, offset: number, inode: InodeFields): void {
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = inode.attributes
  target.writeUInt16LE(extendedInode | (layouts[inode.layout] << 1), offset)
  target.writeUInt16LE(modeTypes[inode.kind] | mode, offset + 4)
  putNumber64(target, inode.sizeBytes, offset + 8)
  target.writeUInt32LE(inode.address, offset + 16)
  target.writeUInt32LE(inode.number, offset + 20)
  target.writeUInt32LE(uid, offset + 24)
  target.writeUInt32LE(gid, offset + 28)
  putNumber64(target, mtimeSeconds, offset + 32)
  target.writeUInt32LE(mtimeNanoseconds, offset + 40)
  target.writeUInt32LE(inode.links, offset + linksOffset)
}

/** As the kernel encodes the numbers of a device in 32 bits. */
export const deviceNumber = (major: number, minor: number): number =>
  ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0

export function putDirent(
  target: Buffer,
  offset: number,
  dirent: { readonly nid: number; readonly nameOffset: number; readonly kind: TreeNode['kind'] },
): void {
  putNumber64(target, dirent.nid, offset)
  target.writeUInt16LE(dirent.nameOffset, offset + 8)
  target.writeUInt8(fileTypes[dirent.kind], offset + 10)
}

const half = 2 ** 32

/** In two halves, as a BigInt for each would cost more than all the rest. */
function putNumber64(target: Buffer, value: number, offset: number): void {
  target.writeUInt32LE(((value % half) + half) % half, offset)
  target.writeInt32LE(Math.floor(value / half), offset + 4)
}
