import type { ByteText } from '../erofs/tree.ts'
import { badArchive } from './bad-archive.ts'

export const tarBlockBytes = 512

/** A header as it stands in the archive. */
export interface TarHeader {
  /** `0` and so on; the letter of the format. */
  readonly type: string
  readonly path: ByteText
  readonly linkPath: ByteText
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtimeSeconds: number
  readonly major: number
  readonly minor: number
}

/** @throws AegisError `invalid` / `image.archive` */
export function parseTarHeader(block: Buffer): TarHeader {
  if (!hasRightSum(block)) throw badArchive('a header of its tar archive has a wrong checksum')
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0'
  const name = text(block, 0, 100)
  const prefix = isPosix ? text(block, 345, 155) : ''
  const type = String.fromCharCode(block[156] ?? 0)
  return {
    // Of the times before there were types: a name that ends in a slash is a directory's.
    type: type === '\0' ? (name.endsWith('/') ? '5' : '0') : type,
    path: prefix === '' ? name : `${prefix}/${name}`,
    linkPath: text(block, 157, 100),
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: identity(number(block, 108, 8, 'uid'), 'uid'),
    gid: identity(number(block, 116, 8, 'gid'), 'gid'),
    size: number(block, 124, 12, 'size'),
    mtimeSeconds: number(block, 136, 12, 'mtime', true),
    major: type === '3' || type === '4' ? number(block, 329, 8, 'devmajor') : 0,
    minor: type === '3' || type === '4' ? number(block, 337, 8, 'devminor') : 0,
  }
}

export function identity(value: number, field: string): number {
  if (value > 0xffff_ffff) throw badArchive(`a header of its tar archive has the ${field} ${value}`)
  return value
}

/** Whether an archive begins with these bytes: a whole block or more. */
export const isTarHeader = (bytes: Buffer): boolean =>
  bytes.length >= tarBlockBytes && hasRightSum(bytes)

/** The sum counts its own field as blanks. Some programs of old add signed bytes. */
function hasRightSum(block: Buffer): boolean {
  let unsigned = 0
  let signed = 0
  for (let index = 0; index < tarBlockBytes; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0)
    unsigned += byte
    signed += byte < 0x80 ? byte : byte - 0x100
  }
  const stored = octal(block.toString('latin1', 148, 156))
  return stored !== undefined && (stored === unsigned || stored === signed)
}

function text(block: Buffer, offset: number, bytes: number): ByteText {
  const field = block.toString('latin1', offset, offset + bytes)
  const end = field.indexOf('\0')
  return end < 0 ? field : field.slice(0, end)
}

/** In octal digits; what they cannot hold is binary, marked by the highest bit. */
function number(
  block: Buffer,
  offset: number,
  bytes: number,
  field: string,
  mayBeNegative = false,
): number {
  const first = block[offset] ?? 0
  const value =
    first & 0x80
      ? binary(block, offset, bytes)
      : octal(block.toString('latin1', offset, offset + bytes))
  if (value !== undefined && Number.isSafeInteger(value) && (value >= 0 || mayBeNegative))
    return value
  throw badArchive(`a header of its tar archive has a ${field} that is no number`)
}

/** Two's complement, whose highest bit is the mark. */
function binary(block: Buffer, offset: number, bytes: number): number {
  const first = block[offset] ?? 0
  let value = first & 0x40 ? first - 0x100 : first & 0x3f
  for (const byte of block.subarray(offset + 1, offset + bytes)) value = value * 256 + byte
  return value
}

function octal(field: string): number | undefined {
  const digits = field.replace(/\0.*$/s, '').trim()
  if (digits === '') return 0
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined
}
