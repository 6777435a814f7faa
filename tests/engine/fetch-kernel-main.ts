import { fetchKernel, openKernelStore } from '@aegis/runtime-firecracker'

const [directory = '', source] = process.argv.slice(2)
await fetchKernel({
  store: openKernelStore(directory),
  source: source === 'cloud' ? source : 'krunfw',
  latest: false,
  now: new Date(),
  onProgress: () => {},
  signal: AbortSignal.timeout(120_000),
})
