import { AegisError } from '@aegis/core'
import { kernelLimits } from '../kernel-limits.ts'

/** A package, as a distribution's index describes it. */
export interface IndexedPackage {
  readonly name: string
  readonly version: string
  /** Below the mirror. */
  readonly path: string
  readonly sizeBytes: number
  readonly sha256: string
  readonly depends: readonly string[]
}

/**
 * The packages of an index whose name is wanted, in its order.
 * @throws AegisError `invalid` / `kernel.index`
 */
export async function* findPackages(
  index: AsyncIterable<Buffer>,
  wants: (name: string) => boolean,
): AsyncGenerator<IndexedPackage> {
  for await (const stanza of stanzasOf(index)) {
    const name = /^Package: *(\S+)$/m.exec(stanza)?.[1]
    if (name !== undefined && wants(name)) yield parseStanza(name, stanza)
  }
}

async function* stanzasOf(index: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of index) {
    // Names, versions and digests are ASCII; a description that is cut apart does no harm.
    const stanzas = (rest + chunk.toString('latin1')).split('\n\n')
    rest = stanzas.pop() ?? ''
    if (rest.length > kernelLimits.stanzaBytes) throw invalid('describes a package without end')
    yield* stanzas
  }
  if (rest.trim() !== '') yield rest
}

function parseStanza(name: string, stanza: string): IndexedPackage {
  const field = (title: string) => new RegExp(`^${title}: *(.*)$`, 'm').exec(stanza)?.[1]?.trim()
  const version = field('Version')
  const path = field('Filename')
  const sha256 = field('SHA256')
  const size = field('Size')
  if (version === undefined || !/^[\w.+~:-]{1,100}$/.test(version)) throw bad(name, 'version')
  if (path === undefined || !isPlain(path)) throw bad(name, 'Filename')
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) throw bad(name, 'SHA256')
  if (size === undefined || !/^\d{1,10}$/.test(size)) throw bad(name, 'Size')
  const depends = (field('Depends') ?? '')
    .split(',')
    .flatMap((one) => one.trim().split(' ')[0] ?? [])
  return { name, version, path, sha256, sizeBytes: Number(size), depends }
}

/** Below the mirror, and nowhere else. */
const isPlain = (path: string): boolean =>
  /^pool\/[\w.+~/-]{1,400}\.deb$/.test(path) && !path.split('/').includes('..')

const bad = (name: string, field: string) => invalid(`describes ${name} with a bad ${field}`)

const invalid = (reason: string) =>
  new AegisError(
    'invalid',
    'kernel.index',
    `The index of packages cannot be used: it ${reason}. Name another mirror with --mirror.`,
  )
