import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type DirectoryNode,
  emptyDirectory,
  type Link,
  rootAttributes,
  type TreeNode,
} from './images/erofs/tree.ts'
import { writeErofsTree } from './images/erofs/write-erofs.ts'

/**
 * Path of the disk that every machine starts from: the guest program, and the directories that it
 * mounts the kernel's files on. Made once for each guest program.
 */
export async function makeGuestDisk(
  directory: string,
  guestPath: string,
  signal: AbortSignal,
): Promise<string> {
  const program = await readFile(guestPath)
  const digest = createHash('sha256').update(layout).update(program).digest('hex').slice(0, 16)
  const path = join(directory, `guest-${digest}.erofs`)
  const there = await access(path).then(
    () => true,
    () => false,
  )
  if (there) return path
  await mkdir(directory, { recursive: true, mode: 0o700 })
  // Renamed into place, so that of two that make it at once neither boots half a disk.
  const unfinished = `${path}.${process.pid}.${performance.now()}`
  try {
    await writeErofsTree(unfinished, treeOf(program), signal)
    await rename(unfinished, path)
    return path
  } finally {
    await rm(unfinished, { force: true })
  }
}

/** To be changed with the tree below, and with how it is written: snapshots name a disk by its path. */
const layout = '2'

function treeOf(program: Uint8Array): DirectoryNode {
  const link = (node: TreeNode): Link => ({ node, layer: 0 })
  const guest: TreeNode = {
    kind: 'file',
    attributes: { ...rootAttributes, mode: 0o555 },
    sizeBytes: program.length,
    content: program,
  }
  const root = emptyDirectory()
  root.children.set('aegis-guest', link(guest))
  for (const name of ['proc', 'sys', 'dev', 'run']) root.children.set(name, link(emptyDirectory()))
  return root
}
