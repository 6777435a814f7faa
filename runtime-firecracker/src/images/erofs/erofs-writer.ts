import { type FileHandle, open } from 'node:fs/promises'
import { AegisError } from '@aegis/core'
import { openAppendingWriter, writeWhole } from './appending-writer.ts'
import { hasRoom, newInodeBlock, splitOf, takeRoom } from './inode-block.ts'
import { blockBytes, inodeBytes, linksOffset, putInode } from './on-disk.ts'
import { type ImageWindows, PlacedFile } from './placed-file.ts'
import { makeReadWindow } from './read-window.ts'
import type { Attributes, DirectoryNode, FileNode, TreeNode } from './tree.ts'
import { linksOf } from './tree-facts.ts'
import { writeDirectories } from './write-directories.ts'

export interface WrittenErofs {
  readonly sizeBytes: number
  readonly inodes: number
}

/**
 * Writes an image of EROFS in one go, from its beginning to its end: files come first, each with its
 * inode as its bytes arrive, and the tree that names them comes last. So what is made of an archive is
 * written while that is read, and only once.
 */
export interface ErofsWriter extends AsyncDisposable {
  /** Begins a file. Where the one before lacks bytes, the image holds nothing as it should be. */
  file(attributes: Attributes, sizeBytes: number): PlacedFile
  /** Bytes of the file that was begun last, and no more than it has; copied. */
  content(bytes: Uint8Array): void
  /** To be awaited between pieces, or they stay in memory. Throws what the system said. */
  room(): Promise<void>
  /** Whether the image holds exactly these files, in this order, and nothing else. */
  holds(files: readonly FileNode[]): boolean
  /** Makes what was written readable. No file may be begun any more. */
  seal(): Promise<void>
  /**
   * Writes the tree that names the files, and syncs the image to the disk. `placeOf` gives what `file`
   * gave for a file.
   * @throws AegisError `invalid` / `image.too-large` · what the system says
   */
  finish(
    root: DirectoryNode,
    placeOf: (node: FileNode) => PlacedFile | undefined,
    signal: AbortSignal,
  ): Promise<WrittenErofs>
}

/** The file that is written now. */
interface Current {
  wholeLeft: number
  /** What is left of the place behind its inode. */
  inline: Buffer
}

const noInline = Buffer.alloc(0)

/** Into a new file, which whoever named it removes when this does not come to its end. */
export async function openErofsWriter(path: string): Promise<ErofsWriter> {
  const file = await open(path, 'wx+', 0o600)
  const out = openAppendingWriter(file, { sync: true })
  const windows: ImageWindows = {
    contents: makeReadWindow(file),
    inodes: makeReadWindow(file, blockBytes),
  }
  const files: PlacedFile[] = []
  let inodes = newInodeBlock()
  let isSpoiled = false
  const current: Current = { wholeLeft: 0, inline: noInline }

  const fillBlock = () => {
    const over = out.length % blockBytes
    if (over > 0) out.append(Buffer.alloc(blockBytes - over))
  }
  const closeInodes = () => {
    inodes.number = out.length / blockBytes
    out.append(inodes.bytes)
    inodes = newInodeBlock()
  }
  const endFile = () => {
    if (current.wholeLeft > 0 || current.inline.length > 0) isSpoiled = true
    fillBlock()
  }

  // The superblock and the root, of which nothing is known yet.
  out.append(Buffer.alloc(blockBytes))
  return {
    file(attributes, sizeBytes) {
      endFile()
      const split = splitOf({ kind: 'file' }, sizeBytes)
      if (!hasRoom(inodes, split)) closeInodes()
      const { layout, wholeBytes, inlineBytes } = split
      const at = takeRoom(inodes, split)
      const address = wholeBytes > 0 ? out.length / blockBytes : 0
      const placed = new PlacedFile(windows, { block: inodes, at, address, wholeBytes })
      const number = files.push(placed)
      putInode(inodes.bytes, at, {
        ...{ kind: 'file', attributes, sizeBytes, layout, address, number },
        links: 1,
      })
      current.wholeLeft = wholeBytes
      current.inline = inodes.bytes.subarray(at + inodeBytes, at + inodeBytes + inlineBytes)
      return placed
    },

    content(bytes) {
      const whole = bytes.subarray(0, current.wholeLeft)
      out.append(whole)
      current.wholeLeft -= whole.length
      const rest = bytes.subarray(whole.length)
      current.inline.set(rest)
      current.inline = current.inline.subarray(rest.length)
    },

    room: () => out.room(),

    holds: (wanted) =>
      !isSpoiled &&
      wanted.length === files.length &&
      wanted.every(({ content }, index) => content === files[index]),

    async seal() {
      endFile()
      closeInodes()
      await out.flush()
    },

    async finish(root, placeOf, signal) {
      endFile()
      const links = linksOf(root)
      const offsetOf = (node: FileNode) => {
        const placed = placeOf(node)
        if (placed === undefined) throw new Error('A file of the tree is not in its image')
        return placed.offset
      }
      const unnamed = { root, links, offsetOf, out, inodes, files: files.length }
      const { first, blocks, inodes: count } = await writeDirectories(unnamed, signal)
      checkSize(blocks)
      await out.flush()
      await putLinks(file, links, offsetOf, signal)
      await writeWhole(file, first, 0)
      // It never changes again, and monitors read it as users of their own.
      await file.chmod(0o444)
      await file.sync()
      return { sizeBytes: blocks * blockBytes, inodes: count }
    },

    async [Symbol.asyncDispose]() {
      // Nothing may be written any more once the file is closed.
      await out.flush().catch(() => undefined)
      await file.close()
    },
  }
}

/** Inodes of files were written before all their names were known: mostly they have one. */
async function putLinks(
  file: FileHandle,
  links: ReadonlyMap<TreeNode, number>,
  offsetOf: (node: FileNode) => number,
  signal: AbortSignal,
): Promise<void> {
  const field = Buffer.alloc(4)
  for (const [node, count] of links) {
    if (node.kind !== 'file' || count === 1) continue
    signal.throwIfAborted()
    field.writeUInt32LE(count)
    await writeWhole(file, field, offsetOf(node) + linksOffset)
  }
}

/** Addresses of blocks have 32 bits, of which the highest values mean something else. */
function checkSize(blocks: number): void {
  if (blocks < 0xffff_0000) return
  throw new AegisError(
    'invalid',
    'image.too-large',
    'The image is larger than the 16 TiB that a file system of EROFS can hold',
  )
}
