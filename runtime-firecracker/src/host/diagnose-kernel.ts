import { AegisError, type HostFinding } from '@aegis/core'
import type { KernelRecord } from '../kernels/kernel-record.ts'
import type { KernelStore } from '../kernels/kernel-store.ts'

/** The lines of Linux that Firecracker supports as guests. */
const supportedGuests = ['5.10', '6.1', '6.18']

/** What `aegis doctor` shows of the kernel that machines boot. Its file is read. */
export async function diagnoseKernels(store: KernelStore): Promise<HostFinding> {
  try {
    await store.current()
    return diagnoseKernel(await store.currentRecord())
  } catch (error) {
    if (!(error instanceof AegisError)) throw error
    if (error.code === 'kernel.absent') return diagnoseKernel(undefined)
    const remedy = 'aegis kernel fetch'
    return { name: 'guest kernel', state: 'missing', detail: error.message, remedy }
  }
}

/** The same, of what is known of it. */
export function diagnoseKernel(record: KernelRecord | undefined): HostFinding {
  const name = 'guest kernel'
  if (record === undefined)
    return {
      name,
      state: 'missing',
      detail: 'none yet: no machine can boot',
      remedy: 'aegis kernel fetch',
    }
  const { origin, linux, digest } = record
  const source =
    origin.kind === 'file' ? origin.path : `${origin.package} ${origin.version}, ${origin.trust}`
  const detail = `Linux ${linux} (${source}; ${digest.slice(0, 12)})`
  const line = /^\d+\.\d+/.exec(linux)?.[0] ?? linux
  if (supportedGuests.includes(line)) return { name, state: 'ok', detail }
  return {
    name,
    state: 'warning',
    detail: `${detail}: it boots, but Firecracker supports guests of ${supportedGuests.join(', ')}`,
    remedy:
      'For production: aegis kernel fetch --source cloud, or a vmlinux of these lines that you built: aegis kernel use FILE',
  }
}
