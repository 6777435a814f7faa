import { listed } from './directory-blocks.ts'
import type { DirectoryNode, FileNode, TreeNode } from './tree.ts'

/** Each file once, in an order that follows from the tree alone. */
export function filesOf(root: DirectoryNode): ReadonlySet<FileNode> {
  const files = new Set<FileNode>()
  for (const { node } of below(root)) if (node.kind === 'file') files.add(node)
  return files
}

/** All that stands in a tree but its root, level by level; what has several names, several times. */
export function* below(
  root: DirectoryNode,
): Generator<{ readonly node: TreeNode; readonly parent: DirectoryNode }> {
  // A list, since trees may be deeper than the stack of calls. It grows while it is read.
  const open = [root]
  for (const parent of open) {
    for (const { node } of listed(parent, parent)) {
      if (node === parent) continue
      yield { node, parent }
      if (node.kind === 'directory') open.push(node)
    }
  }
}

/** How many names lead to each: to a directory its own, itself, and the directories in it. */
export function linksOf(root: DirectoryNode): ReadonlyMap<TreeNode, number> {
  const links = new Map<TreeNode, number>([[root, 2]])
  const count = (node: TreeNode, more: number) => links.set(node, (links.get(node) ?? 0) + more)
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
  return links
}

/** Bytes of all contents. */
export function bytesInFiles(files: Iterable<FileNode>): number {
  let total = 0
  for (const { sizeBytes } of files) total += sizeBytes
  return total
}
