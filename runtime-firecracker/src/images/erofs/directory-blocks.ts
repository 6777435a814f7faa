import { blockBytes, direntBytes, putDirent } from './on-disk.ts'
import { type ByteText, bytesOf, type DirectoryNode, type TreeNode } from './tree.ts'

/** What a directory lists, in the order of bytes, itself and its parent among the rest. */
export interface Listed {
  readonly name: ByteText
  readonly node: TreeNode
}

export function listed(directory: DirectoryNode, parent: DirectoryNode): readonly Listed[] {
  const entries: Listed[] = [
    { name: '.', node: directory },
    { name: '..', node: parent },
  ]
  for (const [name, { node }] of directory.children) entries.push({ name, node })
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1))
}

/** Bytes of a directory: whole blocks, and what is used of the last one. */
export function directoryBytes(names: Iterable<ByteText>): number {
  let whole = 0
  let used = 0
  for (const name of names) {
    const needed = direntBytes + name.length
    if (used + needed > blockBytes) {
      whole++
      used = 0
    }
    used += needed
  }
  return whole * blockBytes + used
}

/**
 * The content of a directory, of the length that `directoryBytes` told. Each block begins with its
 * entries, whose names follow them.
 */
export function directoryContent(
  entries: readonly Listed[],
  sizeBytes: number,
  nidOf: (node: TreeNode) => number,
): Buffer {
  const content = Buffer.alloc(sizeBytes)
  let from = 0
  for (let start = 0; start < sizeBytes; start += blockBytes) {
    let until = from
    for (let used = 0; until < entries.length; until++) {
      used += direntBytes + (entries[until]?.name.length ?? 0)
      if (used > blockBytes) break
    }
    const block = content.subarray(start, start + blockBytes)
    let nameOffset = (until - from) * direntBytes
    for (const [index, { name, node }] of entries.slice(from, until).entries()) {
      putDirent(block, index * direntBytes, { nid: nidOf(node), nameOffset, kind: node.kind })
      nameOffset += bytesOf(name).copy(block, nameOffset)
    }
    from = until
  }
  return content
}
