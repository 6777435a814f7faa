import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, chmod, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { arch } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'

export interface LocateLauncherOptions {
  /** Where the compiled program is kept. */
  readonly buildDirectory: string
  /** A program that was compiled at publishing time. */
  readonly prebuilt?: string
}

/**
 * Path of the launcher for this machine, compiled when its source changed or it is missing.
 * @throws AegisError `unsupported` / `launcher.no-compiler` nothing prebuilt and no C compiler
 */
export async function locateLauncher(options: LocateLauncherOptions): Promise<string> {
  if (options.prebuilt !== undefined && (await exists(options.prebuilt))) return options.prebuilt
  const source = await findSource()
  const digest = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
    .slice(0, 12)
  const program = join(options.buildDirectory, `launch-${arch()}-${digest}`)
  if (!(await exists(program))) await compile(source, program)
  return program
}

const run = promisify(execFile)
const flags = ['-Os', '-std=gnu11', '-Wall', '-Wextra', '-Werror']

/** Beside this file in a clone; below the package's root when bundled. */
async function findSource(): Promise<string> {
  const places = ['../launcher/launch.c', '../runtime-process/launcher/launch.c']
  for (const place of places) {
    const path = fileURLToPath(new URL(place, import.meta.url))
    if (await exists(path)) return path
  }
  throw new AegisError(
    'unsupported',
    'launcher.no-source',
    `The launcher's source is not in this installation (looked for ${places.join(' and ')}). Install AEGIS again`,
  )
}

async function compile(source: string, program: string): Promise<void> {
  // Renamed into place, so that of two processes that compile at once neither runs half a program.
  const unfinished = `${program}.${process.pid}`
  const at = join(program, '..')
  await mkdir(at, { recursive: true })
  try {
    await run('cc', [...flags, '-static', '-o', unfinished, source]).catch((error) => {
      if (error.code === 'ENOENT') throw error
      // Some distributions ship the C library without its static half.
      return run('cc', [...flags, '-o', unfinished, source])
    })
    await chmod(unfinished, 0o755)
    await rename(unfinished, program)
  } catch (cause) {
    await rm(unfinished, { force: true })
    const { stderr, message } = cause as { stderr?: string; message: string }
    throw new AegisError(
      'unsupported',
      'launcher.no-compiler',
      `The launcher of the process runtime could not be compiled: ${stderr?.trim() || message}. Install a C compiler: apt-get install gcc libc6-dev`,
      { cause },
    )
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
