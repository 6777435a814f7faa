import { type ErofsWriter, openErofsWriter, type WrittenErofs } from './erofs-writer.ts'
import type { PlacedFile } from './placed-file.ts'
import type { DirectoryNode, FileNode } from './tree.ts'
import { filesOf } from './tree-facts.ts'

/**
 * Writes a tree as an EROFS image into a new file, which it syncs to the disk. The same tree gives
 * the same bytes. Whoever called removes the file when it throws. `files` are those of the tree, in
 * the order in which they are to lie on the disk.
 * @throws AegisError `invalid` / `image.too-large` · what the system says
 */
export async function writeErofsTree(
  path: string,
  root: DirectoryNode,
  signal: AbortSignal,
  files: Iterable<FileNode> = filesOf(root),
): Promise<WrittenErofs> {
  await using writer = await openErofsWriter(path)
  const places = new Map<FileNode, PlacedFile>()
  for (const node of files) places.set(node, await copyFile(writer, node, signal))
  return await writer.finish(root, (node) => places.get(node), signal)
}

async function copyFile(
  writer: ErofsWriter,
  node: FileNode,
  signal: AbortSignal,
): Promise<PlacedFile> {
  const { attributes, sizeBytes, content } = node
  const placed = writer.file(attributes, sizeBytes)
  if (content instanceof Uint8Array) writer.content(content)
  else
    for (let done = 0; done < sizeBytes; ) {
      const bytes = await content.read(done, sizeBytes - done)
      if (bytes.length === 0) throw new Error('A file is shorter than it was')
      writer.content(bytes)
      done += bytes.length
      await writer.room()
    }
  signal.throwIfAborted()
  await writer.room()
  return placed
}
