import { fileURLToPath } from 'node:url'
import { fetchKernel } from '../kernels/fetch-kernel.ts'
import { openKernelStore } from '../kernels/kernel-store.ts'
import type { GuestKernel } from '../machine/machine-plan.ts'

/** Where every test of this clone keeps its kernel, so that it is fetched once. */
export const testKernels = fileURLToPath(new URL('../../../build/kernels', import.meta.url))

/**
 * The pinned kernel, fetched when this clone has none yet: 7 MB.
 * @throws AegisError where neither a kernel nor a mirror is at hand
 */
export async function testKernel(): Promise<GuestKernel> {
  const store = openKernelStore(testKernels)
  const signal = AbortSignal.timeout(60_000)
  await fetchKernel({ store, latest: false, now: new Date(), onProgress: () => {}, signal })
  return store.current()
}
