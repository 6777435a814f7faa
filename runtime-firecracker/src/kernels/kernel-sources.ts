import { readDeb } from './archive/read-deb.ts'
import { unpackCloudKernel } from './cloud/cloud-kernel.ts'
import type { IndexedPackage } from './debian/find-packages.ts'
import { invalidKernel } from './invalid-kernel.ts'
import { kernelLimits } from './kernel-limits.ts'
import type { StoredModules } from './kernel-store.ts'
import { kernelOfKrunfw } from './krunfw.ts'
import { type PinnedKernel, pinnedCloud, pinnedKrunfw } from './pinned-kernel.ts'

export type KernelSourceName = 'krunfw' | 'cloud'

/** A package of Debian that has a kernel in it. */
export interface KernelSource {
  readonly pinned: PinnedKernel
  /** Which packages of an index decide what is newest. */
  readonly isOfInterest: (name: string) => boolean
  /** Of these, in the index's order. */
  newest(packages: readonly IndexedPackage[]): IndexedPackage | undefined
  /** @throws AegisError `invalid` / `kernel.invalid`, `kernel.package` */
  unpack(deb: Buffer, signal: AbortSignal): Promise<UnpackedKernel>
}

export interface UnpackedKernel {
  /** Uncompressed. */
  readonly kernel: Buffer
  readonly modules?: StoredModules
}

const cloudPackage = /^linux-image-[\d.]+-\d+-cloud-amd64$/
/** Has nothing in it but the name of the newest. */
const cloudMeta = 'linux-image-cloud-amd64'

export const kernelSources: Readonly<Record<KernelSourceName, KernelSource>> = {
  krunfw: {
    pinned: pinnedKrunfw,
    isOfInterest: (name) => name === pinnedKrunfw.package.name,
    newest: (packages) => packages.at(-1),
    unpack: async (deb, signal) => ({ kernel: kernelOfKrunfw(await libraryIn(deb, signal)) }),
  },
  cloud: {
    pinned: pinnedCloud,
    isOfInterest: (name) => name === cloudMeta || cloudPackage.test(name),
    newest(packages) {
      const meta = packages.findLast(({ name }) => name === cloudMeta)
      return packages.findLast(({ name }) => name !== cloudMeta && meta?.depends.includes(name))
    },
    unpack: unpackCloudKernel,
  },
}

async function libraryIn(deb: Buffer, signal: AbortSignal): Promise<Buffer> {
  const wants = (path: string) => /^usr\/lib\/x86_64-linux-gnu\/libkrunfw\.so\.[\d.]+$/.test(path)
  const files = readDeb(
    deb,
    { wants, maxBytes: kernelLimits.kernelBytes },
    { maxBytes: kernelLimits.unpackedBytes, signal },
  )
  for await (const { content } of files) return content
  throw invalidKernel('is a package without usr/lib/x86_64-linux-gnu/libkrunfw.so')
}
