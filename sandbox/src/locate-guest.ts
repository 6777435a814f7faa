import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { arch } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'
import { ownDirectory } from './own-directory.ts'

export interface LocateGuestOptions {
  /** Where the compiled program is kept; made when missing. */
  readonly buildDirectory: string
  /** A program that was compiled at publishing time; used when it is there. */
  readonly prebuilt?: string
}

const flags = ['-std=gnu11', '-Os', '-s', '-static', '-Wall', '-Wextra', '-Werror']
const run = promisify(execFile)

/**
 * Path of the guest program for this machine, compiled with `cc` when its source changed or it is
 * missing. Several may ask at once, in several processes.
 * @throws AegisError `unsupported` / `guest.no-compiler` nothing prebuilt and no C compiler
 */
export async function locateGuest(options: LocateGuestOptions): Promise<string> {
  const { buildDirectory, prebuilt } = options
  if (prebuilt !== undefined && (await exists(prebuilt))) return prebuilt
  const directory = ownDirectory('guest')
  const names = (await readdir(directory)).filter((name) => /\.[ch]$/.test(name)).sort()
  const sources = names.map((name) => join(directory, name))
  const program = join(buildDirectory, `guest-${arch()}-${await digest(sources)}`)
  if (!(await exists(program))) await compile(sources, program)
  return program
}

async function digest(sources: readonly string[]): Promise<string> {
  const contents = await Promise.all(sources.map((source) => readFile(source)))
  const hash = createHash('sha256').update(flags.join(' '))
  for (const content of contents) hash.update(content)
  return hash.digest('hex').slice(0, 12)
}

async function compile(sources: readonly string[], program: string): Promise<void> {
  // Renamed into place, so that of two that compile at once neither runs half a program.
  const unfinished = `${program}.${process.pid}.${performance.now()}`
  await mkdir(join(program, '..'), { recursive: true })
  try {
    await run('cc', [...flags, '-o', unfinished, ...sources.filter((name) => name.endsWith('.c'))])
    await rename(unfinished, program)
  } catch (cause) {
    await rm(unfinished, { force: true })
    throw new AegisError(
      'unsupported',
      'guest.no-compiler',
      'The guest program could not be compiled. Install a C compiler and the static C library: apt-get install gcc libc6-dev',
      { cause },
    )
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
