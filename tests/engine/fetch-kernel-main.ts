import { fetchKernel, openKernelStore } from '@aegis/runtime-firecracker'

const [directory = ''] = process.argv.slice(2)
await fetchKernel({
  store: openKernelStore(directory),
  latest: false,
  now: new Date(),
  onProgress: () => {},
  signal: AbortSignal.timeout(120_000),
})
