import { type FileHandle, open } from 'node:fs/promises'
import { AegisError } from '@aegis/core'
import { directoryContent, listed } from './directory-blocks.ts'
import { blockBytes, inodeBytes, putInode, putSuperblock, slotBytes } from './on-disk.ts'
import { type LayoutPlan, type Place, planLayout } from './plan-layout.ts'
import { openPositionedWriter, type PositionedWriter } from './positioned-writer.ts'
import { bytesOf, type Content, type DirectoryNode, type FileNode, type TreeNode } from './tree.ts'

export interface WrittenErofs {
  readonly sizeBytes: number
  readonly inodes: number
}

/**
 * Writes a tree as an EROFS image into a new file, which it syncs to the disk. The same tree gives
 * the same bytes. Whoever called removes the file when it throws.
 * @throws AegisError `invalid` / `image.too-large` · what the system says
 */
export async function writeErofsTree(
  path: string,
  root: DirectoryNode,
  signal: AbortSignal,
): Promise<WrittenErofs> {
  const plan = planLayout(root, filesInOrder(root))
  // Addresses of blocks have 32 bits, of which the highest values mean something else.
  if (plan.blocks >= 0xffff_0000)
    throw new AegisError(
      'invalid',
      'image.too-large',
      'The image is larger than the 16 TiB that a file system of EROFS can hold',
    )
  await using file = await open(path, 'wx', 0o600)
  await writePlan(file, plan, signal)
  // It never changes again, and monitors read it as users of their own.
  await file.chmod(0o444)
  await file.sync()
  return { sizeBytes: plan.blocks * blockBytes, inodes: plan.inodes }
}

async function writePlan(file: FileHandle, plan: LayoutPlan, signal: AbortSignal): Promise<void> {
  await file.truncate(plan.blocks * blockBytes)
  const writer = openPositionedWriter(file)
  await using _ = {
    // Nothing may be written any more once the file is closed.
    [Symbol.asyncDispose]: () => writer.flush().catch(() => undefined),
  }
  for (const [index, group] of plan.groups.entries()) {
    signal.throwIfAborted()
    const block = Buffer.alloc(blockBytes)
    for (const place of group.places) {
      const at = place.offset % blockBytes
      putInode(block, at, { ...place, kind: place.node.kind, attributes: place.node.attributes })
      await putContent(writer, block.subarray(at + inodeBytes), place, plan, signal)
    }
    if (index === 0)
      putSuperblock(block, {
        rootNid: (group.places[0]?.offset ?? 0) / slotBytes,
        inodes: plan.inodes,
        blocks: plan.blocks,
      })
    await writer.write(group.block * blockBytes, block)
  }
  await writer.flush()
}

/** The whole blocks go to the file, what is inline behind the inode. */
async function putContent(
  writer: PositionedWriter,
  behind: Buffer,
  place: Place,
  plan: LayoutPlan,
  signal: AbortSignal,
): Promise<void> {
  const { sizeBytes, layout, address } = place
  if (sizeBytes === 0) return
  const content = contentOf(place, plan)
  const inline = layout === 'inline' ? sizeBytes % blockBytes : 0
  const wholeBytes = sizeBytes - inline
  for (let done = 0; done < sizeBytes; ) {
    const wanted = (done < wholeBytes ? wholeBytes : sizeBytes) - done
    const bytes = await partOf(content, done, wanted)
    if (done < wholeBytes) await writer.write(address * blockBytes + done, bytes)
    else behind.set(bytes, done - wholeBytes)
    done += bytes.length
    signal.throwIfAborted()
  }
  const over = wholeBytes % blockBytes
  if (over > 0)
    await writer.write(address * blockBytes + wholeBytes, Buffer.alloc(blockBytes - over))
}

const partOf = (content: Content, offset: number, bytes: number) =>
  content instanceof Uint8Array
    ? content.subarray(offset, offset + bytes)
    : content.file.read(content.offset + offset, bytes)

function contentOf({ node, parent, sizeBytes }: Place, plan: LayoutPlan): Content {
  switch (node.kind) {
    case 'file':
      return node.content
    case 'symlink':
      return bytesOf(node.target)
    case 'directory':
      return directoryContent(
        listed(node, parent ?? node),
        sizeBytes,
        (one) => plan.placeOf(one).offset / slotBytes,
      )
    default:
      return new Uint8Array(0)
  }
}

/** In the order in which contents are read with the fewest leaps; those in memory as they come. */
function filesInOrder(root: DirectoryNode): readonly FileNode[] {
  const files = new Set<FileNode>()
  const open: TreeNode[] = [root]
  for (const node of open) {
    if (node.kind === 'file') files.add(node)
    if (node.kind === 'directory')
      for (const { node: child } of listedChildren(node)) open.push(child)
  }
  const sources = new Map<object, number>()
  const rank = ({ content }: FileNode): readonly [number, number] => {
    if (content instanceof Uint8Array) return [-1, 0]
    const source = sources.get(content.file) ?? sources.size
    sources.set(content.file, source)
    return [source, content.offset]
  }
  return [...files]
    .map((file) => ({ file, rank: rank(file) }))
    .sort((one, other) => one.rank[0] - other.rank[0] || one.rank[1] - other.rank[1])
    .map(({ file }) => file)
}

const listedChildren = (directory: DirectoryNode) =>
  listed(directory, directory).filter(({ node }) => node !== directory)
