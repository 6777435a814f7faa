import { execFile } from 'node:child_process'
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'

const run = promisify(execFile)

/**
 * Packs what is written of a scratch disk, which is a few of its thousands of megabytes, into an archive
 * (GNU tar's sparse format).
 * @throws AegisError `unavailable` / `snapshot.failed`
 */
export async function packScratch(
  scratchPath: string,
  archivePath: string,
  signal: AbortSignal,
): Promise<void> {
  const options = ['--sparse', '--format=gnu', '--numeric-owner', '--transform=s/.*/scratch/']
  await tar(
    ['--create', ...options, '-f', archivePath, '-C', dirname(scratchPath), basename(scratchPath)],
    signal,
  )
}

/** Makes a scratch disk as it was packed, owned by whoever runs this. Its name has to be `scratch`. */
export async function unpackScratch(
  archivePath: string,
  scratchPath: string,
  signal: AbortSignal,
): Promise<void> {
  const options = ['--no-same-owner', '--no-same-permissions']
  await tar(
    ['--extract', ...options, '-f', archivePath, '-C', dirname(scratchPath), 'scratch'],
    signal,
  )
}

async function tar(args: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await run('tar', args, { signal, timeout: 60_000, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } })
  } catch (cause) {
    signal.throwIfAborted()
    const { code, stderr } = cause as { code?: unknown; stderr?: unknown }
    const because = code === 'ENOENT' ? 'tar is not installed (apt-get install tar)' : `${stderr}`
    throw new AegisError(
      'unavailable',
      'snapshot.failed',
      `The disk of a snapshot could not be kept or brought back: ${because.trim().slice(0, 300)}`,
      { cause },
    )
  }
}
