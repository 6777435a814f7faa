import { blockBytes, inodeBytes, type Layout, slotBytes } from './on-disk.ts'
import type { TreeNode } from './tree.ts'

/** A block of inodes, of which more come until it is full. The blocks of their contents lie before it. */
export interface InodeBlock {
  readonly bytes: Buffer
  usedBytes: number
  /** Known once it is full: contents of any length may come before. */
  number: number
}

export const newInodeBlock = (): InodeBlock => ({
  bytes: Buffer.alloc(blockBytes),
  usedBytes: 0,
  number: 0,
})

/** How the content of an inode is split: whole blocks, and a rest that lies behind the inode. */
export interface Split {
  readonly layout: Layout
  /** Of the content, in blocks of its own. */
  readonly wholeBytes: number
  readonly inlineBytes: number
}

/**
 * A large rest of a block is not worth lying behind the inode: fewer inodes would share a block than
 * the block that it saves.
 */
export function splitOf(
  { kind }: Pick<TreeNode, 'kind'>,
  sizeBytes: number,
  freeBytes = blockBytes - inodeBytes,
): Split {
  const rest = sizeBytes % blockBytes
  const most = kind === 'file' ? blockBytes / 2 : freeBytes
  const inlineBytes = rest <= most ? rest : 0
  return {
    layout: inlineBytes > 0 ? 'inline' : 'plain',
    wholeBytes: sizeBytes - inlineBytes,
    inlineBytes,
  }
}

export const hasRoom = ({ usedBytes }: InodeBlock, { inlineBytes }: Split): boolean =>
  usedBytes + inodeBytes + inlineBytes <= blockBytes

/** Takes room for an inode and what lies behind it. Where it begins in the block. */
export function takeRoom(block: InodeBlock, { inlineBytes }: Split): number {
  const at = block.usedBytes
  block.usedBytes = roundUp(at + inodeBytes + inlineBytes, slotBytes)
  return at
}

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step
