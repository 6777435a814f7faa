import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { arch, machine } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'

export interface LocateOptions {
  /** Where the compiled program is kept; made when missing. */
  readonly buildDirectory: string
  /** A program that was compiled at publishing time; used when it is there. */
  readonly prebuilt?: string
}

const flags = ['-std=gnu11', '-Os', '-s', '-static', '-Wall', '-Wextra', '-Werror']
type Program = 'guest' | 'launch' | 'probe'

const cc = ['cc'] as const
/** Makes programs of an eighth of the size; the kernel's headers it has not. */
const musl = [
  'musl-gcc',
  ...['-idirafter', '/usr/include', '-idirafter', `/usr/include/${machine()}-linux-gnu`],
] as const
/** The first one that can. A guest is read from a disk at every boot of a machine, so its size counts. */
const compilersOf = { guest: [musl, cc], launch: [cc], probe: [musl, cc] } as const
const run = promisify(execFile)

/**
 * Path of a small C program for this machine, compiled from all sources of directories
 * when they changed or it is missing. Several may ask at once, in several processes.
 * @throws AegisError `unsupported` / `<name>.no-compiler` nothing prebuilt and no C compiler
 */
export async function nativeProgram(
  name: Program,
  directories: readonly string[],
  { buildDirectory, prebuilt }: LocateOptions,
): Promise<string> {
  if (prebuilt !== undefined && (await exists(prebuilt))) return prebuilt
  const sources = (await Promise.all(directories.map(sourcesIn))).flat()
  const program = join(buildDirectory, `${name}-${arch()}-${await digest(sources)}`)
  if (!(await exists(program))) await compile(name, sources, program)
  return program
}

async function sourcesIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((file) => /\.[ch]$/.test(file)).sort()
  return names.map((file) => join(directory, file))
}

async function digest(sources: readonly string[]): Promise<string> {
  const contents = await Promise.all(sources.map((source) => readFile(source)))
  const hash = createHash('sha256').update(flags.join(' '))
  for (const content of contents) hash.update(content)
  return hash.digest('hex').slice(0, 12)
}

async function compile(name: Program, sources: readonly string[], program: string): Promise<void> {
  // Renamed into place, so that of two that compile at once neither runs half a program.
  const unfinished = `${program}.${process.pid}.${performance.now()}`
  await mkdir(join(program, '..'), { recursive: true })
  try {
    await compileWithAny(compilersOf[name], [
      ...flags,
      ...new Set(sources.map((source) => `-I${dirname(source)}`)),
      '-o',
      unfinished,
      ...sources.filter((s) => s.endsWith('.c')),
    ])
    await rename(unfinished, program)
  } catch (cause) {
    await rm(unfinished, { force: true })
    throw new AegisError(
      'unsupported',
      `${name}.no-compiler`,
      `The program "${name}" could not be compiled. Install a C compiler and the static C library: apt-get install gcc libc6-dev`,
      { cause },
    )
  }
}

async function compileWithAny(
  compilers: readonly (readonly [string, ...string[]])[],
  args: readonly string[],
): Promise<void> {
  const failures: unknown[] = []
  for (const [compiler, ...own] of compilers) {
    try {
      await run(compiler, [...own, ...args])
      return
    } catch (error) {
      failures.push(error)
    }
  }
  throw failures.at(-1)
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
