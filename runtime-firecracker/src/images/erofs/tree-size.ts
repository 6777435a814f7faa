import type { DirectoryNode, FileNode } from './tree.ts'

/** Bytes of the contents of all files, each counted once. */
export function bytesInFiles(root: DirectoryNode): number {
  const files = new Set<FileNode>()
  const open = [root]
  for (const directory of open) {
    for (const { node } of directory.children.values()) {
      if (node.kind === 'file') files.add(node)
      if (node.kind === 'directory') open.push(node)
    }
  }
  let total = 0
  for (const { sizeBytes } of files) total += sizeBytes
  return total
}
