import type { AppendingWriter } from './appending-writer.ts'
import { directoryBytes, directoryContent, listed } from './directory-blocks.ts'
import {
  hasRoom,
  type InodeBlock,
  newInodeBlock,
  type Split,
  splitOf,
  takeRoom,
} from './inode-block.ts'
import {
  blockBytes,
  deviceNumber,
  inodeBytes,
  putInode,
  putSuperblock,
  slotBytes,
  superblockBytes,
  superblockOffset,
} from './on-disk.ts'
import { bytesOf, type DirectoryNode, type FileNode, type TreeNode } from './tree.ts'
import { below } from './tree-facts.ts'

interface Unnamed {
  readonly root: DirectoryNode
  readonly links: ReadonlyMap<TreeNode, number>
  /** Of a file's inode, in bytes from the beginning; asked once all inodes of files have their place. */
  offsetOf(node: FileNode): number
  /** Behind the contents of all files, at the end of a block. */
  readonly out: AppendingWriter
  /** Of the last files; more fit into it. */
  readonly inodes: InodeBlock
  readonly files: number
}

export interface WrittenTree {
  /** The first block of the image, which is to be written last. */
  readonly first: Buffer
  readonly blocks: number
  readonly inodes: number
}

/** Where an inode lies that is no file's, and where its content. */
interface Place {
  readonly node: TreeNode
  /** Of a directory; the root's is itself. */
  readonly parent: DirectoryNode
  readonly sizeBytes: number
  readonly split: Split
  readonly block: InodeBlock
  readonly at: number
  /** First of its whole blocks; of a device, its number. */
  readonly address: number
  readonly number: number
}

interface Plan {
  readonly places: ReadonlyMap<TreeNode, Place>
  readonly blocks: number
}

/** Appends all that is no file: directories, which name everything, links, devices and pipes. */
export async function writeDirectories(
  unnamed: Unnamed,
  signal: AbortSignal,
): Promise<WrittenTree> {
  const { root, links, offsetOf, out, inodes, files } = unnamed
  const plan = planTree(unnamed)
  let open = inodes
  const close = () => {
    if (out.length !== open.number * blockBytes)
      throw new Error('A tree is not where it was planned')
    out.append(open.bytes)
  }
  for (const place of plan.places.values()) {
    if (place.node !== root && place.block !== open) {
      close()
      open = place.block
      signal.throwIfAborted()
      await out.room()
    }
    putPlace(place, links.get(place.node) ?? 0, contentOf(place, plan, offsetOf), out)
  }
  if (open.usedBytes > 0) close()
  const rootPlace = plan.places.get(root)
  if (rootPlace === undefined) throw new Error('A tree has no root')
  const first = rootPlace.block.bytes
  const count = files + plan.places.size
  putSuperblock(first, { rootNid: nidOf(rootPlace), inodes: count, blocks: plan.blocks })
  return { first, blocks: plan.blocks, inodes: count }
}

/** Before a byte of it is written, since directories name what comes after them. */
function planTree({ root, out, inodes, files }: Unnamed): Plan {
  const places = new Map<TreeNode, Place>()
  let nextBlock = out.length / blockBytes
  let block = inodes
  const add = (
    node: TreeNode,
    parent: DirectoryNode,
    sizeBytes: number,
    into: InodeBlock,
    split: Split,
  ) => {
    const blocks = Math.ceil(split.wholeBytes / blockBytes)
    const isDevice = node.kind === 'character' || node.kind === 'block'
    places.set(node, {
      node,
      parent,
      sizeBytes,
      split,
      block: into,
      at: takeRoom(into, split),
      address: isDevice ? deviceNumber(node.major, node.minor) : blocks > 0 ? nextBlock : 0,
      number: files + places.size + 1,
    })
    nextBlock += blocks
  }
  const close = () => {
    block.number = nextBlock
    nextBlock++
  }
  // The superblock shares the first block with the root, whose number must fit into 16 bits.
  const first = newInodeBlock()
  first.usedBytes = superblockOffset + superblockBytes
  const rootBytes = sizeOf(root, root)
  const free = blockBytes - first.usedBytes - inodeBytes
  add(root, root, rootBytes, first, splitOf(root, rootBytes, free))
  for (const { node, parent } of below(root)) {
    if (node.kind === 'file' || places.has(node)) continue
    const sizeBytes = sizeOf(node, parent)
    const split = splitOf(node, sizeBytes)
    if (!hasRoom(block, split)) {
      close()
      block = newInodeBlock()
    }
    add(node, parent, sizeBytes, block, split)
  }
  if (block.usedBytes > 0) close()
  return { places, blocks: nextBlock }
}

function putPlace(place: Place, links: number, content: Uint8Array, out: AppendingWriter): void {
  const { node, sizeBytes, split, block, at, address, number } = place
  const { attributes, kind } = node
  const { layout, wholeBytes } = split
  putInode(block.bytes, at, { kind, attributes, sizeBytes, layout, address, number, links })
  block.bytes.set(content.subarray(wholeBytes), at + inodeBytes)
  out.append(content.subarray(0, wholeBytes))
  const over = wholeBytes % blockBytes
  if (over > 0) out.append(Buffer.alloc(blockBytes - over))
}

function sizeOf(node: TreeNode, parent: DirectoryNode): number {
  if (node.kind === 'symlink') return node.target.length
  if (node.kind !== 'directory') return 0
  return directoryBytes(listed(node, parent).map(({ name }) => name))
}

function contentOf(
  { node, parent, sizeBytes }: Place,
  { places }: Plan,
  offsetOf: Unnamed['offsetOf'],
): Uint8Array {
  if (node.kind === 'symlink') return bytesOf(node.target)
  if (node.kind !== 'directory') return new Uint8Array(0)
  return directoryContent(listed(node, parent), sizeBytes, (child) => {
    if (child.kind === 'file') return offsetOf(child) / slotBytes
    const place = places.get(child)
    if (place === undefined) throw new Error('A node of the tree has no place in its plan')
    return nidOf(place)
  })
}

const nidOf = ({ block, at }: Place): number => (block.number * blockBytes + at) / slotBytes
