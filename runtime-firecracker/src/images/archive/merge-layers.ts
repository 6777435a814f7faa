import { setImmediate } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import {
  type Attributes,
  type ByteText,
  type DirectoryNode,
  emptyDirectory,
  type FileNode,
  maxPathBytes,
  namesOf,
  shownText,
  type TreeNode,
} from '../erofs/tree.ts'
import { filesOf } from '../erofs/tree-facts.ts'
import { tooLarge } from './bad-archive.ts'
import type { LayerMember } from './scan-layer.ts'
import type { TarMember } from './tar-scanner.ts'

/** What a container would see. */
export interface MergedLayers {
  readonly root: DirectoryNode
  /** Those that are left, in the order in which the layers give them. */
  readonly files: readonly FileNode[]
}

const whiteout = '.wh.'
const opaque = '.wh..wh..opq'

/** Entries that are laid before others of this process get their turn. */
const entriesAtOnce = 5000

/**
 * Lays layers over one another, from the lowest to the uppermost, as a container would see them.
 * Nothing is ever followed: a path that leads through a link of its own layer is refused, and through
 * one of a layer below hides it, as engines have it.
 * @throws AegisError `invalid` / `image.path`, `image.layer`, `image.too-large`
 */
export async function mergeLayers(
  layers: readonly (readonly LayerMember[])[],
  maxInodes: number,
  signal: AbortSignal,
): Promise<MergedLayers> {
  const root = emptyDirectory()
  // Names that were removed again count too: they took memory.
  const tree: Tree = { root, files: [], namesLeft: 2 * maxInodes }
  for (const [index, layer] of layers.entries()) {
    for (const [at, member] of layer.entries()) {
      if (at % entriesAtOnce === 0) {
        await setImmediate()
        signal.throwIfAborted()
      }
      apply(tree, member, index + 1)
    }
  }
  if (count(root) > maxInodes) throw tooLarge(`more than ${maxInodes} files and directories`)
  const left = filesOf(root)
  return { root, files: tree.files.filter((file) => left.has(file)) }
}

interface Tree {
  readonly root: DirectoryNode
  readonly files: FileNode[]
  namesLeft: number
}

function apply(tree: Tree, member: LayerMember, number: number): void {
  const names = namesOf(member.path)
  const name = names.at(-1)
  if (name === undefined) {
    if (member.kind === 'directory') tree.root.attributes = attributesOf(member)
    return
  }
  const above = names.slice(0, -1)
  if (above.some((one) => one.startsWith(whiteout)))
    throw bad(member, 'lies beneath a mark for something that was removed')
  if (name.startsWith(whiteout)) {
    remove(tree.root, above, name, member, number)
    return
  }
  const parent = openPath(tree, above, member, number)
  const known = parent.children.get(name)?.node
  if (member.kind === 'directory' && known?.kind === 'directory') {
    known.attributes = attributesOf(member)
    put(tree, parent, name, known, number)
  } else {
    put(tree, parent, name, nodeOf(tree, member), number)
  }
}

function put(
  tree: Tree,
  { children }: DirectoryNode,
  name: ByteText,
  node: TreeNode,
  layer: number,
): void {
  if (!children.has(name)) tree.namesLeft--
  if (tree.namesLeft < 0) throw tooLarge('far too many files and directories')
  children.set(name, { node, layer })
}

/** The directory that is to hold an entry; what is missing of it is made. */
function openPath(
  tree: Tree,
  names: readonly ByteText[],
  member: TarMember,
  number: number,
): DirectoryNode {
  let directory = tree.root
  for (const name of names) {
    const link = directory.children.get(name)
    if (link?.node.kind === 'directory') {
      if (link.layer !== number) put(tree, directory, name, link.node, number)
      directory = link.node
      continue
    }
    if (link !== undefined && link.layer === number)
      throw bad(member, `leads through ${JSON.stringify(shownText(name))}, which is no directory`)
    const made = emptyDirectory()
    put(tree, directory, name, made, number)
    directory = made
  }
  return directory
}

/** Marks of other kinds are notes of an engine to itself. */
const isNote = (name: ByteText): boolean => name.startsWith('.wh..wh.') && name !== opaque

function remove(
  root: DirectoryNode,
  names: readonly ByteText[],
  mark: ByteText,
  member: TarMember,
  number: number,
): void {
  if (isNote(mark)) return
  const directory = find(root, names)
  if (mark === opaque) {
    if (directory?.kind === 'directory') removeBelow(directory, number)
    return
  }
  const name = mark.slice(whiteout.length)
  if (name === '' || name === '.' || name === '..')
    throw bad(member, 'removes nothing that has a name')
  if (directory?.kind !== 'directory') return
  const link = directory.children.get(name)
  if (link === undefined) return
  if (link.layer < number) directory.children.delete(name)
  // What this layer gave stays, wherever its mark stands in the archive.
  else if (link.node.kind === 'directory') removeBelow(link.node, number)
}

/** Takes away what layers below this one gave. */
function removeBelow(directory: DirectoryNode, number: number): void {
  const open = [directory]
  for (const next of open) {
    for (const [name, { node, layer }] of next.children) {
      if (layer < number) next.children.delete(name)
      else if (node.kind === 'directory') open.push(node)
    }
  }
}

function find(root: DirectoryNode, names: readonly ByteText[]): TreeNode | undefined {
  let node: TreeNode | undefined = root
  for (const name of names)
    node = node?.kind === 'directory' ? node.children.get(name)?.node : undefined
  return node
}

function nodeOf({ root, files }: Tree, member: LayerMember): TreeNode {
  const attributes = attributesOf(member)
  switch (member.kind) {
    case 'directory':
      return emptyDirectory(attributes)
    case 'file': {
      const { sizeBytes, content } = member
      if (content === undefined) throw new Error('A file of a layer has no content')
      const node: FileNode = { kind: 'file', attributes, sizeBytes, content }
      files.push(node)
      return node
    }
    case 'symlink':
      if (
        member.linkPath === '' ||
        member.linkPath.length > maxPathBytes ||
        member.linkPath.includes('\0')
      )
        throw bad(member, 'is a symbolic link without a usable target')
      return { kind: 'symlink', attributes, target: member.linkPath }
    case 'character':
    case 'block': {
      const { kind, major, minor } = member
      if (major > 0xfff || minor > 0xfffff)
        throw bad(member, 'is a device that Linux cannot number')
      return { kind, attributes, major, minor }
    }
    case 'fifo':
      return { kind: 'fifo', attributes }
    case 'link': {
      const target = find(root, namesOf(member.linkPath))
      if (target !== undefined && target.kind !== 'directory') return target
      throw bad(
        member,
        `is a hard link to ${JSON.stringify(shownText(member.linkPath))}, which is no file`,
      )
    }
  }
}

const attributesOf = ({
  mode,
  uid,
  gid,
  mtimeSeconds,
  mtimeNanoseconds,
}: Attributes): Attributes => ({
  mode,
  uid,
  gid,
  mtimeSeconds,
  mtimeNanoseconds,
})

function count(root: DirectoryNode): number {
  let total = 1
  const open = [root]
  for (const directory of open) {
    total += directory.children.size
    for (const { node } of directory.children.values())
      if (node.kind === 'directory') open.push(node)
  }
  return total
}

const bad = ({ path }: TarMember, because: string): AegisError =>
  new AegisError(
    'invalid',
    'image.layer',
    `The entry ${JSON.stringify(shownText(path).slice(0, 200))} of a layer ${because}. Build the image again with another tool`,
  )
