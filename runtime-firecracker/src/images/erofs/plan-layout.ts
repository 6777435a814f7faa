import { directoryBytes, listed } from './directory-blocks.ts'
import {
  blockBytes,
  deviceNumber,
  inodeBytes,
  type Layout,
  slotBytes,
  superblockBytes,
  superblockOffset,
} from './on-disk.ts'
import type { DirectoryNode, FileNode, TreeNode } from './tree.ts'

/** Where an inode lies, and where its content. */
export interface Place {
  readonly node: TreeNode
  /** Of a directory; the root's is itself. */
  readonly parent: DirectoryNode | undefined
  readonly sizeBytes: number
  readonly layout: Layout
  /** First of its whole blocks; of a device, its number. */
  readonly address: number
  /** Of the inode, in bytes from the beginning. What is inline follows it. */
  offset: number
  readonly number: number
  links: number
}

/** One block of inodes. The blocks of their contents lie right before it; those of the first, behind. */
export interface Group {
  readonly block: number
  readonly places: readonly Place[]
}

/**
 * A whole image before a byte of it is written: the first groups hold all that has no content of its
 * own, so that looking a path up reads few blocks, and the files follow in the order in which their
 * contents are to be read.
 */
export interface LayoutPlan {
  readonly groups: readonly Group[]
  readonly blocks: number
  readonly inodes: number
  placeOf(node: TreeNode): Place
}

/** `files` are those of the tree, in the order of their contents. */
export function planLayout(root: DirectoryNode, files: readonly FileNode[]): LayoutPlan {
  const places = new Map<TreeNode, Place>()
  const groups: Group[] = []
  // The superblock shares the first block with the root, whose number must fit into 16 bits.
  let used = superblockOffset + superblockBytes
  let group: Place[] = []
  let wholeBlocks = 0
  let nextBlock = 1

  const close = () => {
    const isFirst = groups.length === 0
    groups.push({ block: isFirst ? 0 : nextBlock + wholeBlocks, places: group })
    nextBlock += wholeBlocks + (isFirst ? 0 : 1)
    group = []
    wholeBlocks = 0
    used = 0
  }
  const add = (node: TreeNode, sizeBytes: number, parent?: DirectoryNode) => {
    const tail = tailOf(node, sizeBytes)
    if (used + inodeBytes + tail > blockBytes) close()
    const whole = tail > 0 ? Math.floor(sizeBytes / blockBytes) : Math.ceil(sizeBytes / blockBytes)
    const address =
      node.kind === 'character' || node.kind === 'block'
        ? deviceNumber(node.major, node.minor)
        : whole > 0
          ? nextBlock + wholeBlocks
          : 0
    const place: Place = {
      node,
      parent,
      sizeBytes,
      layout: tail > 0 ? 'inline' : 'plain',
      address,
      offset: used,
      number: places.size + 1,
      links: 0,
    }
    places.set(node, place)
    group.push(place)
    wholeBlocks += whole
    used = roundUp(used + inodeBytes + tail, slotBytes)
  }

  const addDirectory = (directory: DirectoryNode, parent: DirectoryNode) => {
    add(directory, directoryBytes(listed(directory, parent).map(({ name }) => name)), parent)
  }
  addDirectory(root, root)
  for (const { node, parent } of withoutContent(root)) {
    if (node.kind === 'directory') addDirectory(node, parent)
    else if (!places.has(node)) add(node, node.kind === 'symlink' ? node.target.length : 0)
  }
  for (const file of files) add(file, file.sizeBytes)
  close()
  settle(groups)
  countLinks(root, places)

  return {
    groups,
    blocks: nextBlock,
    inodes: places.size,
    placeOf(node) {
      const place = places.get(node)
      if (place === undefined) throw new Error('A node of the tree has no place in its plan')
      return place
    },
  }
}

/** Offsets within the block become those from the beginning, now that each block has its place. */
function settle(groups: readonly Group[]): void {
  for (const { block, places } of groups)
    for (const place of places) place.offset += block * blockBytes
}

/**
 * Bytes that lie behind the inode. A large rest of a block is not worth it: fewer inodes would share
 * a block than the block that it saves.
 */
function tailOf({ kind }: TreeNode, sizeBytes: number): number {
  const rest = sizeBytes % blockBytes
  const most = kind === 'file' ? blockBytes / 2 : blockBytes - inodeBytes
  return rest <= most ? rest : 0
}

function* withoutContent(
  parent: DirectoryNode,
): Generator<{ readonly node: TreeNode; readonly parent: DirectoryNode }> {
  // A list, since trees may be deeper than the stack of calls. It grows while it is read.
  const open = [parent]
  for (const next of open) {
    for (const { node } of listed(next, next).filter(({ node: one }) => one !== next)) {
      if (node.kind === 'file') continue
      yield { node, parent: next }
      if (node.kind === 'directory') open.push(node)
    }
  }
}

/** A directory is known by its name, by itself, and by the directories in it. */
function countLinks(root: DirectoryNode, places: ReadonlyMap<TreeNode, Place>): void {
  const count = (node: TreeNode, links: number) => {
    const place = places.get(node)
    if (place !== undefined) place.links += links
  }
  count(root, 2)
  const open = [root]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const { node } of next.children.values()) {
      if (node.kind !== 'directory') count(node, 1)
      else {
        count(node, 2)
        count(next, 1)
        open.push(node)
      }
    }
  }
}

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step
