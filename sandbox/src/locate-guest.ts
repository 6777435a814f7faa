import { execFile } from 'node:child_process'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'

export interface LocateGuestOptions {
  /** Where the compiled program is kept; made when missing. */
  readonly buildDirectory: string
  /** A program that was compiled at publishing time; used when it is there. */
  readonly prebuilt?: string
}

const sourceDirectory = join(import.meta.dirname, '..', 'guest')
const flags = ['-std=gnu11', '-Os', '-s', '-static', '-Wall', '-Wextra', '-Werror']
const run = promisify(execFile)

/**
 * Path of the guest program for this machine, compiled with `cc` when missing or older than its
 * source. Callers at the same time do not disturb each other.
 * @throws AegisError `unsupported` / `guest.compiler` when it cannot be compiled
 */
export async function locateGuest({
  buildDirectory,
  prebuilt,
}: LocateGuestOptions): Promise<string> {
  if (prebuilt !== undefined && (await modifiedMs(prebuilt)) !== undefined) return prebuilt
  const program = join(buildDirectory, `aegis-guest-${process.arch}`)
  const names = (await readdir(sourceDirectory)).filter((name) => /\.[ch]$/.test(name)).sort()
  const sources = names.map((name) => join(sourceDirectory, name))
  const newest = Math.max(...(await Promise.all(sources.map(modifiedMs))).map((ms) => ms ?? 0))
  const built = await modifiedMs(program)
  if (built !== undefined && built > newest) return program

  await mkdir(buildDirectory, { recursive: true })
  const fresh = `${program}.${process.pid}.${Math.round(performance.now() * 1000)}`
  try {
    await run('cc', [...flags, '-o', fresh, ...sources.filter((name) => name.endsWith('.c'))])
    await rename(fresh, program)
  } catch (error) {
    await rm(fresh, { force: true })
    throw new AegisError(
      'unsupported',
      'guest.compiler',
      'The guest program could not be compiled; install a C compiler with static libc (Debian: apt-get install gcc libc6-dev)',
      { cause: error },
    )
  }
  return program
}

async function modifiedMs(path: string): Promise<number | undefined> {
  const about = await stat(path).catch(() => undefined)
  return about?.mtimeMs
}
