import { AegisError } from '@aegis/core'

/** What the index of a distribution says of the files below it. */
export interface Release {
  readonly suite: string
  readonly date: Date
  /** After which it should not be trusted to be the newest. */
  readonly validUntil?: Date
  /** Files can be fetched by their digest, so that an update of the mirror in between does no harm. */
  readonly byHash: boolean
  readonly files: ReadonlyMap<string, ReleaseFile>
}

export interface ReleaseFile {
  readonly sha256: string
  readonly sizeBytes: number
}

const maxFiles = 50_000

/**
 * Parses the text of a `Release` file, whose signature was verified.
 * @throws AegisError `invalid` / `kernel.index`
 */
export function parseRelease(text: string): Release {
  const fields = new Map<string, string>()
  const files = new Map<string, ReleaseFile>()
  let field = ''
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line) ?? []
    if (name !== undefined) {
      field = name.toLowerCase()
      if (fields.has(field)) throw invalid(`says "${name}" twice`)
      fields.set(field, value.trim())
      continue
    }
    if (field !== 'sha256') continue
    const [, sha256, size, path] = /^ ([0-9a-f]{64}) +(\d{1,12}) +(\S{1,500})$/.exec(line) ?? []
    if (sha256 === undefined || size === undefined || path === undefined) continue
    if (files.size === maxFiles) throw invalid(`lists more than ${maxFiles} files`)
    files.set(path, { sha256, sizeBytes: Number(size) })
  }
  const date = dateOf(fields, 'date')
  const suite = fields.get('codename') ?? fields.get('suite')
  if (date === undefined || suite === undefined || files.size === 0)
    throw invalid('lacks its date, its suite or its files')
  const validUntil = dateOf(fields, 'valid-until')
  return {
    suite,
    date,
    ...(validUntil !== undefined && { validUntil }),
    byHash: fields.get('acquire-by-hash') === 'yes',
    files,
  }
}

function dateOf(fields: ReadonlyMap<string, string>, name: string): Date | undefined {
  const text = fields.get(name)
  if (text === undefined) return undefined
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) throw invalid(`has a "${name}" that is no date`)
  return date
}

const invalid = (reason: string) =>
  new AegisError(
    'invalid',
    'kernel.index',
    `The index of the distribution is not one: it ${reason}. Name another mirror with --mirror.`,
  )
