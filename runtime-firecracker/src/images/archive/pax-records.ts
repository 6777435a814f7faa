import type { ByteText } from '../erofs/tree.ts'
import { badArchive } from './bad-archive.ts'
import { identity } from './tar-header.ts'

/** What an extended header says of the entry behind it. Other records mean nothing to us. */
export interface PaxRecords {
  readonly path?: ByteText
  readonly linkPath?: ByteText
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly mtimeSeconds?: number
  readonly mtimeNanoseconds?: number
}

/**
 * Parses records `length key=value\n`, whose length counts itself.
 * @throws AegisError `invalid` / `image.archive`
 */
export function parsePaxRecords(body: Buffer): PaxRecords {
  let records: PaxRecords = {}
  for (let at = 0; at < body.length; ) {
    const blank = body.indexOf(0x20, at)
    const digits = blank < 0 ? '' : body.toString('latin1', at, blank)
    const end = at + (/^\d{1,8}$/.test(digits) ? Number(digits) : 0)
    const equals = body.indexOf(0x3d, blank)
    if (equals < 0 || equals >= end || end > body.length || body[end - 1] !== 0x0a)
      throw badArchive('an extended header of its tar archive is damaged')
    const key = body.toString('latin1', blank + 1, equals)
    records = { ...records, ...recordOf(key, body.toString('latin1', equals + 1, end - 1)) }
    at = end
  }
  return records
}

function recordOf(key: string, value: ByteText): PaxRecords {
  // Takes back what an earlier header said, of which we keep nothing.
  if (value === '') return {}
  switch (key) {
    case 'path':
      return { path: value }
    case 'linkpath':
      return { linkPath: value }
    case 'uid':
      return { uid: identity(count(key, value), key) }
    case 'gid':
      return { gid: identity(count(key, value), key) }
    case 'size':
      return { size: count(key, value) }
    case 'mtime':
      return timeOf(value)
    default:
      if (key.startsWith('GNU.sparse.')) throw badArchive('its tar archive has a file with holes')
      return {}
  }
}

function count(key: string, value: string): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw badArchive(`an extended header of its tar archive has a ${key} that is no number`)
}

/** Seconds with a fraction, of any number of digits. */
function timeOf(value: string): PaxRecords {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value) ?? []
  if (whole === '') throw badArchive('an extended header of its tar archive has no usable mtime')
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'))
  if (sign === '') return { mtimeSeconds: Number(whole), mtimeNanoseconds: nanoseconds }
  if (nanoseconds === 0) return { mtimeSeconds: 0 - Number(whole), mtimeNanoseconds: 0 }
  return { mtimeSeconds: -1 - Number(whole), mtimeNanoseconds: 1_000_000_000 - nanoseconds }
}
