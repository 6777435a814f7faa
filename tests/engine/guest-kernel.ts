import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Where all tests find the kernel that their machines boot. */
export const kernelDirectory = fileURLToPath(
  new URL('../../node_modules/.cache/aegis/kernels', import.meta.url),
)

const run = promisify(execFile)

/** Fetches the pinned kernel, once for all runs: several processes may want it at once. */
export const testKernel = (): Promise<string> => fetchOnce(kernelDirectory, 'krunfw')

/** The same of Debian's kernel for clouds. */
export const testCloudKernel = (): Promise<string> => fetchOnce(`${kernelDirectory}-cloud`, 'cloud')

async function fetchOnce(directory: string, source: 'krunfw' | 'cloud'): Promise<string> {
  await mkdir(directory, { recursive: true })
  const fetching = fileURLToPath(new URL('./fetch-kernel-main.ts', import.meta.url))
  const lock = join(directory, '.lock')
  await run('flock', [lock, process.execPath, fetching, directory, source])
  return directory
}
