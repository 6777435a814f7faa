import { AegisError } from '@aegis/core'

/**
 * Names and link targets are bytes on disk, in whatever encoding. Here they are strings with one
 * character for each byte, so that their order is the order of bytes, and nothing is lost.
 */
export type ByteText = string

/** Most bytes of a name, a path and the target of a symbolic link, as Linux has them. */
export const maxNameBytes = 255
export const maxPathBytes = 4095

export interface Attributes {
  /** The lower twelve bits of `st_mode`. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Whole seconds since the epoch; may be negative. */
  readonly mtimeSeconds: number
  readonly mtimeNanoseconds: number
}

/** The bytes of a file that are not in memory. */
export interface ContentFile {
  /**
   * At least one byte and at most `bytes` of them from `offset` on, which lies within the file; valid
   * until the next call.
   */
  read(offset: number, bytes: number): Uint8Array | Promise<Uint8Array>
}

export type Content = Uint8Array | ContentFile

export interface DirectoryNode {
  readonly kind: 'directory'
  attributes: Attributes
  readonly children: Map<ByteText, Link>
}

export interface FileNode {
  readonly kind: 'file'
  readonly attributes: Attributes
  readonly sizeBytes: number
  readonly content: Content
}

export interface SymlinkNode {
  readonly kind: 'symlink'
  readonly attributes: Attributes
  readonly target: ByteText
}

export interface DeviceNode {
  readonly kind: 'character' | 'block'
  readonly attributes: Attributes
  readonly major: number
  readonly minor: number
}

export interface PipeNode {
  readonly kind: 'fifo' | 'socket'
  readonly attributes: Attributes
}

/** What is not a directory may stand in the tree at several places: these are hard links. */
export type TreeNode = DirectoryNode | FileNode | SymlinkNode | DeviceNode | PipeNode

/** A name in a directory. */
export interface Link {
  readonly node: TreeNode
  /** Number of the layer that gave it. */
  readonly layer: number
}

export const rootAttributes: Attributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
}

export const emptyDirectory = (attributes: Attributes = rootAttributes): DirectoryNode => ({
  kind: 'directory',
  attributes,
  children: new Map(),
})

export const bytesOf = (text: ByteText): Buffer => Buffer.from(text, 'latin1')
export const byteText = (text: string): ByteText => Buffer.from(text, 'utf8').toString('latin1')
export const shownText = (text: ByteText): string => bytesOf(text).toString('utf8')

/**
 * The names that lead to an entry. An absolute path begins at the root of the tree like any other.
 * @throws AegisError `invalid` / `image.path` it leaves the tree, or no file system could hold it
 */
export function namesOf(path: ByteText): readonly ByteText[] {
  if (path.length > maxPathBytes) throw bad(path, `is longer than ${maxPathBytes} bytes`)
  if (path.includes('\0')) throw bad(path, 'contains a zero byte')
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (names.includes('..')) throw bad(path, 'contains “..”, which could lead out of the image')
  const long = names.find((name) => name.length > maxNameBytes)
  if (long !== undefined) throw bad(path, `has a name longer than ${maxNameBytes} bytes`)
  return names
}

const shownMax = 200

const bad = (path: ByteText, because: string): AegisError =>
  new AegisError(
    'invalid',
    'image.path',
    `The path ${JSON.stringify(shownText(path.slice(0, shownMax)))} ${because}. Build the image again with a tool that keeps to paths within it`,
  )
