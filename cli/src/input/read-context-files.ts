import { constants } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { join, posix, relative, sep } from 'node:path'
import { AegisError } from '@aegis/core'
import { errnoOf } from './read-text-file.ts'

export interface ContextFile {
  /** Where it lands, relative to /workspace. */
  readonly path: string
  readonly content: Buffer
}

/** What may still be read; reading takes from it. */
export interface ContextBudget {
  bytes: number
  files: number
}

/**
 * The file, or all files below the directory, in the order of their names.
 * @throws AegisError `invalid`: absent, of another kind, over the budget, absolute, or outside `folder` once
 * its symbolic links are followed
 */
export async function readContextFiles(
  folder: string,
  entry: { readonly type: 'file' | 'directory'; readonly path: string },
  budget: ContextBudget,
): Promise<readonly ContextFile[]> {
  const files: ContextFile[] = []
  const reader: Reader = { root: await realpath(folder), budget, files }
  const path = posix.normalize(entry.path)
  if (posix.isAbsolute(path)) refuse(path, 'is absolute', 'paths are relative to the manifest')
  try {
    const kind = await stat(join(folder, path))
    if (entry.type === 'directory' && !kind.isDirectory()) refuse(path, 'is no folder')
    if (entry.type === 'file' && kind.isDirectory()) {
      refuse(path, 'is a folder', 'write type: directory')
    }
    await read(reader, join(folder, path), path, 0)
  } catch (error) {
    if (error instanceof AegisError) throw error
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') {
      refuse(path, 'is not there', `paths are relative to the manifest, here ${folder}`)
    }
    refuse(path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  return files
}

interface Reader {
  readonly root: string
  readonly budget: ContextBudget
  readonly files: ContextFile[]
}

const deepest = 32

async function read(reader: Reader, host: string, path: string, depth: number): Promise<void> {
  const real = await realpath(host)
  const inside = relative(reader.root, real)
  if (inside === '..' || inside.startsWith(`..${sep}`)) {
    refuse(path, 'leads out of the folder of the manifest', 'copy it there')
  }
  if (depth > deepest) refuse(path, `lies more than ${deepest} folders deep`)
  if (!(await stat(real)).isDirectory()) return readOne(reader, real, path)
  const names = await readdir(real)
  for (const name of names.sort()) {
    await read(reader, join(host, name), posix.join(path, name), depth + 1)
  }
}

async function readOne(reader: Reader, real: string, path: string): Promise<void> {
  if (reader.budget.files === 0) refuse(path, 'is one file too many', limitHelp)
  // Without O_NONBLOCK, opening a named pipe waits for its writer.
  await using file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK)
  const found = await file.stat()
  if (!found.isFile()) refuse(path, 'is neither a file nor a folder')
  if (found.size > reader.budget.bytes) refuse(path, 'is too large', limitHelp)
  const content = await file.readFile()
  if (content.length > reader.budget.bytes) refuse(path, 'is too large', limitHelp)
  reader.budget.files -= 1
  reader.budget.bytes -= content.length
  reader.files.push({ path, content })
}

const limitHelp = 'all context files of an agent together are at most 1000 and 1 MiB'

function refuse(path: string, why: string, help?: string): never {
  throw new AegisError('invalid', 'context.file', `${path} ${why}`, {
    details: help === undefined ? {} : { help },
  })
}
