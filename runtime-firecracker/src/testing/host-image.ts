import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'
import { type DirectoryNode, emptyDirectory, rootAttributes } from '../images/erofs/tree.ts'
import { writeErofsTree } from '../images/erofs/write-erofs.ts'

const run = promisify(execFile)

/** A small image of programs of this host, with the libraries that they ask for. */
export async function makeHostImage(path: string, programs: readonly string[]): Promise<void> {
  const files = new Map(programs.map((name) => [`/bin/${name}`, `/usr/bin/${name}`]))
  const linked = await Promise.all(
    programs.map((name) => run('ldd', [`/usr/bin/${name}`], { env: { LC_ALL: 'C' } })),
  )
  for (const { stdout } of linked)
    for (const [library] of stdout.matchAll(/\/\S+/g)) files.set(library, library)
  const root = emptyDirectory()
  for (const [inside, outside] of files) await put(root, inside, outside)
  await writeErofsTree(path, root, AbortSignal.timeout(30_000))
}

async function put(root: DirectoryNode, inside: string, outside: string): Promise<void> {
  const content = await readFile(outside)
  const attributes = { ...rootAttributes, mode: 0o755 }
  const node = { kind: 'file', attributes, sizeBytes: content.length, content } as const
  directoryAt(root, dirname(inside)).children.set(basename(inside), { node, layer: 0 })
}

function directoryAt(root: DirectoryNode, path: string): DirectoryNode {
  let at = root
  for (const name of path.split('/').filter((part) => part !== '')) {
    const next = at.children.get(name)?.node ?? emptyDirectory()
    if (next.kind !== 'directory') throw new Error(`${path} is no directory`)
    at.children.set(name, { node: next, layer: 0 })
    at = next
  }
  return at
}
