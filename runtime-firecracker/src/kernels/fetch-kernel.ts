import { createHash } from 'node:crypto'
import { AegisError } from '@aegis/core'
import { download } from './debian/download.ts'
import type { IndexedPackage } from './debian/find-packages.ts'
import { openArchive } from './debian/open-archive.ts'
import { debianKeyring } from './debian/verify-in-release.ts'
import { inspectKernel } from './inspect-kernel.ts'
import { kernelLimits } from './kernel-limits.ts'
import type { KernelRecord } from './kernel-record.ts'
import { type KernelSourceName, kernelSources } from './kernel-sources.ts'
import type { KernelStore } from './kernel-store.ts'
import type { PinnedKernel } from './pinned-kernel.ts'

export interface FetchProgress {
  readonly phase: 'index' | 'package' | 'unpack'
  readonly receivedBytes: number
  readonly totalBytes?: number
}

export interface FetchKernelOptions {
  readonly store: KernelStore
  /** Default `krunfw`. */
  readonly source?: KernelSourceName | undefined
  /** What the distribution has now, instead of the pinned version. */
  readonly latest: boolean
  readonly mirror?: string
  readonly keyring?: string
  /** Another one in tests. */
  readonly pinned?: PinnedKernel
  readonly now: Date
  readonly onProgress: (progress: FetchProgress) => void
  readonly signal: AbortSignal
}

export interface FetchedKernel {
  readonly record: KernelRecord
  /** It was there already. */
  readonly wasStored: boolean
  /** What whoever asked should know, in sentences. */
  readonly notices: readonly string[]
}

export const defaultMirror = 'http://deb.debian.org/debian'

type Trust = 'pinned' | 'signature'

/**
 * Brings a kernel that Debian built into the store, and has machines boot it: the ready one of libkrunfw,
 * or that for clouds, whose drivers are modules.
 * What comes over the network is believed only by a digest: the pinned one, or one that the
 * distribution signed.
 * @throws AegisError as `download`, `openArchive` and the sources do
 */
export async function fetchKernel(options: FetchKernelOptions): Promise<FetchedKernel> {
  const { store, latest, onProgress, signal } = options
  const source = kernelSources[options.source ?? 'krunfw']
  const { pinned = source.pinned } = options
  const mirror = checkMirror(options.mirror ?? defaultMirror)
  const stored = async (sha256: string, notices: readonly string[]) => {
    const kernels = await store.list()
    const record = kernels.find(
      ({ origin }) => origin.kind === 'package' && origin.digest === sha256,
    )
    if (record === undefined) return undefined
    await store.use(record.digest)
    return (await isWhole(store)) ? { record, wasStored: true, notices } : undefined
  }
  const bring = async (one: Omit<IndexedPackage, 'depends'>, trust: Trust) => {
    const url = `${mirror}/${one.path}`
    const deb = await download(url, {
      maxBytes: Math.min(one.sizeBytes, kernelLimits.packageBytes),
      sha256: one.sha256,
      signal,
      onBytes: (receivedBytes) =>
        onProgress({ phase: 'package', receivedBytes, totalBytes: one.sizeBytes }),
    })
    onProgress({ phase: 'unpack', receivedBytes: 0 })
    const { kernel, modules } = await source.unpack(deb, signal)
    if (trust === 'pinned') checkDigest(kernel, pinned.digest)
    const { linux, commandLineDevices } = inspectKernel(kernel, {
      hasModules: modules !== undefined,
    })
    const known: Parameters<KernelStore['add']>[1] = {
      name: one.name,
      linux,
      origin: {
        ...{ kind: 'package', package: one.name, version: one.version, url, trust },
        digest: one.sha256,
      },
      arguments: [],
      needsAcpi: !commandLineDevices,
      fetchedAt: options.now.toISOString(),
    }
    const record = await store.add(kernel, known, modules)
    await store.use(record.digest)
    return record
  }

  const notices: string[] = []
  if (!latest) {
    const there = await stored(pinned.package.sha256, notices)
    if (there !== undefined) return there
    try {
      return { record: await bring(pinned.package, 'pinned'), wasStored: false, notices }
    } catch (error) {
      if (!(error instanceof AegisError) || error.code !== 'kernel.gone') throw error
      const { name, version } = pinned.package
      notices.push(
        `${name} ${version}, which this release was tested with, is gone from ${mirror}: its newest was taken, by the distribution's signature.`,
      )
    }
  }
  const archive = await openArchive({
    ...{ mirror, suite: pinned.suite, keyring: options.keyring ?? debianKeyring },
    ...{ notBefore: pinned.since, now: options.now, signal },
    onBytes: (receivedBytes, totalBytes) =>
      onProgress({
        phase: 'index',
        receivedBytes,
        ...(totalBytes !== undefined && { totalBytes }),
      }),
  })
  if (archive.staleDays > 0)
    notices.push(
      `The index of ${mirror} is ${archive.staleDays} days past its date, so newer kernels may be missing from it.`,
    )
  const newest = source.newest(await archive.packages(source.isOfInterest))
  if (newest === undefined) throw unknownPackage(pinned, mirror)
  const there = await stored(newest.sha256, notices)
  if (there !== undefined) return there
  return { record: await bring(newest, 'signature'), wasStored: false, notices }
}

/** One that was damaged since is fetched again. */
const isWhole = (store: KernelStore): Promise<boolean> =>
  store.current().then(
    () => true,
    () => false,
  )

function checkDigest(kernel: Buffer, expected: string): void {
  const digest = createHash('sha256').update(kernel).digest('hex')
  if (digest !== expected)
    throw new AegisError(
      'denied',
      'kernel.digest',
      `The kernel out of the pinned package is ${digest}, and should be ${expected}. Check what unpacks it here: xz --version`,
    )
}

function checkMirror(mirror: string): string {
  const url = URL.canParse(mirror) ? new URL(mirror) : undefined
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.search === '')
    return url.href.replace(/\/+$/, '')
  throw new AegisError(
    'invalid',
    'kernel.mirror',
    `--mirror must be the http or https address of a Debian mirror, such as ${defaultMirror}; not "${mirror}".`,
  )
}

const unknownPackage = (pinned: PinnedKernel, mirror: string) =>
  new AegisError(
    'unavailable',
    'kernel.gone',
    `${mirror} has no ${pinned.package.name} in ${pinned.suite}. Name another mirror with --mirror, or a kernel of your own: aegis kernel use FILE`,
  )
