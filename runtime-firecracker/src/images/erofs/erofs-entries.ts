import { AegisError } from '@aegis/core'
import type { WrittenErofs } from './erofs-writer.ts'
import {
  type Attributes,
  byteText,
  type DirectoryNode,
  emptyDirectory,
  namesOf,
  rootAttributes,
  shownText,
  type TreeNode,
} from './tree.ts'
import { writeErofsTree } from './write-erofs.ts'

/** An entry of an image that is made from memory. What is not said is root's, of the epoch. */
export type ErofsEntry = Partial<Attributes> & { readonly path: string } & (
    | { readonly kind: 'directory' }
    | { readonly kind: 'file'; readonly content: Uint8Array }
    | { readonly kind: 'symlink'; readonly target: string }
    | { readonly kind: 'character' | 'block'; readonly major: number; readonly minor: number }
    | { readonly kind: 'fifo' | 'socket' }
    /** Another name of an earlier entry. */
    | { readonly kind: 'link'; readonly to: string }
  )

/**
 * Writes entries as an EROFS image into a new file. Directories that no entry names are made.
 * @throws AegisError `invalid` / `image.path`
 */
export async function writeErofs(
  path: string,
  entries: Iterable<ErofsEntry>,
  signal: AbortSignal = new AbortController().signal,
): Promise<WrittenErofs> {
  return writeErofsTree(path, treeOf(entries), signal)
}

export function treeOf(entries: Iterable<ErofsEntry>): DirectoryNode {
  const root = emptyDirectory()
  for (const entry of entries) {
    const names = namesOf(byteText(entry.path))
    const name = names.at(-1)
    const parent = directoryAt(root, names.slice(0, -1))
    if (name === undefined) {
      if (entry.kind === 'directory') root.attributes = attributesOf(entry, 0o755)
      continue
    }
    const known = parent.children.get(name)?.node
    if (entry.kind === 'directory' && known?.kind === 'directory')
      known.attributes = attributesOf(entry, 0o755)
    else parent.children.set(name, { node: nodeOf(root, entry), layer: 0 })
  }
  return root
}

function nodeOf(root: DirectoryNode, entry: ErofsEntry): TreeNode {
  switch (entry.kind) {
    case 'directory':
      return emptyDirectory(attributesOf(entry, 0o755))
    case 'file': {
      const { content } = entry
      const attributes = attributesOf(entry, 0o644)
      return { kind: 'file', attributes, content, sizeBytes: content.length }
    }
    case 'symlink':
      return {
        kind: 'symlink',
        attributes: attributesOf(entry, 0o777),
        target: byteText(entry.target),
      }
    case 'character':
    case 'block': {
      const { kind, major, minor } = entry
      return { kind, attributes: attributesOf(entry, 0o600), major, minor }
    }
    case 'fifo':
    case 'socket':
      return { kind: entry.kind, attributes: attributesOf(entry, 0o600) }
    case 'link': {
      const names = namesOf(byteText(entry.to))
      const node = directoryAt(root, names.slice(0, -1)).children.get(names.at(-1) ?? '')?.node
      if (node !== undefined && node.kind !== 'directory') return node
      throw misplaced(entry.path, `is a hard link to ${entry.to}, which is no file`)
    }
  }
}

function directoryAt(root: DirectoryNode, names: readonly string[]): DirectoryNode {
  let directory = root
  for (const name of names) {
    const known = directory.children.get(name)?.node
    if (known !== undefined && known.kind !== 'directory')
      throw misplaced(shownText(name), 'is to hold entries, and is no directory')
    const next = known ?? emptyDirectory()
    directory.children.set(name, { node: next, layer: 0 })
    directory = next
  }
  return directory
}

const attributesOf = (entry: Partial<Attributes>, mode: number): Attributes => ({
  mode: entry.mode ?? mode,
  uid: entry.uid ?? rootAttributes.uid,
  gid: entry.gid ?? rootAttributes.gid,
  mtimeSeconds: entry.mtimeSeconds ?? rootAttributes.mtimeSeconds,
  mtimeNanoseconds: entry.mtimeNanoseconds ?? rootAttributes.mtimeNanoseconds,
})

const misplaced = (path: string, because: string): AegisError =>
  new AegisError('invalid', 'image.path', `The entry ${path} ${because}`)
