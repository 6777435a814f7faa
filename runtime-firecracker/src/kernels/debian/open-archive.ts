import { Readable } from 'node:stream'
import { AegisError } from '@aegis/core'
import { decompress } from '../archive/decompress.ts'
import { kernelLimits } from '../kernel-limits.ts'
import { download } from './download.ts'
import { findPackages, type IndexedPackage } from './find-packages.ts'
import { parseRelease, type Release } from './parse-release.ts'
import { verifyInRelease } from './verify-in-release.ts'

export interface ArchiveOptions {
  readonly mirror: string
  readonly suite: string
  readonly keyring: string
  /** An index from before that is a trick to sell something old. */
  readonly notBefore: Date
  readonly now: Date
  readonly signal: AbortSignal
  readonly onBytes: (received: number, total: number | undefined) => void
}

/** A distribution's archive, read from its signed index downwards. */
export interface Archive {
  /** Its index is past the date that it names itself, by so many days. */
  readonly staleDays: number
  packages(wants: (name: string) => boolean): Promise<readonly IndexedPackage[]>
}

const packagesPath = 'main/binary-amd64/Packages.gz'

/**
 * An index past its date is used, and said to be: it can only hide what is newer. One from before
 * `notBefore` is refused, so that a mirror cannot lead a node back to an older kernel.
 * @throws AegisError as `download`, `verifyInRelease` and the parsers do · `denied` /
 * `kernel.index-old`
 */
export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const { mirror, suite, keyring, notBefore, now, signal, onBytes } = options
  const base = `${mirror}/dists/${suite}`
  const inRelease = await download(`${base}/InRelease`, {
    maxBytes: kernelLimits.releaseBytes,
    signal,
  })
  const release = parseRelease(await verifyInRelease(inRelease, { keyring, signal }))
  if (release.suite !== suite) throw wrongSuite(base, release.suite)
  if (release.date < notBefore) throw tooOld(base, release, notBefore)
  const file = release.files.get(packagesPath)
  if (file === undefined) throw noPackages(base)
  return {
    staleDays: staleDays(release, now),
    async packages(wants) {
      const path = release.byHash
        ? packagesPath.replace('Packages.gz', `by-hash/SHA256/${file.sha256}`)
        : packagesPath
      const content = await download(`${base}/${path}`, {
        maxBytes: Math.min(kernelLimits.indexBytes, file.sizeBytes),
        sha256: file.sha256,
        signal,
        onBytes,
      })
      const maxBytes = kernelLimits.indexTextBytes
      const text = decompress(Readable.from([content]), 'gz', { maxBytes, signal })
      const found: IndexedPackage[] = []
      for await (const one of findPackages(text, wants)) found.push(one)
      return found
    },
  }
}

const dayMs = 86_400_000

const staleDays = ({ validUntil }: Release, now: Date): number =>
  validUntil === undefined
    ? 0
    : Math.max(0, Math.ceil((now.getTime() - validUntil.getTime()) / dayMs))

const wrongSuite = (base: string, suite: string) =>
  new AegisError(
    'denied',
    'kernel.index',
    `${base} is the signed index of "${suite}", so of another distribution. Name another mirror with --mirror.`,
  )

const tooOld = (base: string, { date }: Release, notBefore: Date) =>
  new AegisError(
    'denied',
    'kernel.index-old',
    `The index ${base} is of ${day(date)}, before ${day(notBefore)}, when this release of AEGIS was made: it would lead back to older kernels. Name another mirror with --mirror.`,
  )

const noPackages = (base: string) =>
  new AegisError(
    'unavailable',
    'kernel.index',
    `${base} lists no ${packagesPath}. Name a whole mirror with --mirror.`,
  )

const day = (date: Date): string => date.toISOString().slice(0, 10)
