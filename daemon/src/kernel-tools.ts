import {
  type FetchedKernel,
  type FetchKernelOptions,
  fetchKernel,
  type KernelRecord,
  openKernelStore,
  type UsedKernel,
  useKernel,
} from '@aegis/runtime-firecracker'
import { prepareHome } from './home.ts'

export { defaultMirror, type FetchProgress, type KernelRecord } from '@aegis/runtime-firecracker'

/** What a home keeps of kernels for micro-VMs. No node is needed: one that runs reads the same. */
export interface KernelTools {
  fetch(options: Omit<FetchKernelOptions, 'store' | 'now' | 'pinned'>): Promise<FetchedKernel>
  list(): Promise<readonly KernelRecord[]>
  current(): Promise<KernelRecord | undefined>
  /** `named` is looked for in `directory` when it is a file. */
  use(named: string, directory: string): Promise<UsedKernel>
}

export async function kernelToolsOf(directory: string): Promise<KernelTools> {
  const home = await prepareHome(directory)
  const store = openKernelStore(home.kernels)
  return {
    fetch: (options) => fetchKernel({ ...options, store, now: new Date() }),
    list: () => store.list(),
    current: () => store.currentRecord(),
    use: (named, from) => useKernel({ store, named, directory: from, now: new Date() }),
  }
}
