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
export async function testKernel(): Promise<string> {
  await mkdir(kernelDirectory, { recursive: true })
  const fetching = fileURLToPath(new URL('./fetch-kernel-main.ts', import.meta.url))
  await run('flock', [join(kernelDirectory, '.lock'), process.execPath, fetching, kernelDirectory])
  return kernelDirectory
}
