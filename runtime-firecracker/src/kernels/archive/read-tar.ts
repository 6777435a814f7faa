import { AegisError } from '@aegis/core'

export interface TarFile {
  /** Without a leading `./`. */
  readonly path: string
  readonly content: Buffer
}

export interface TarOptions {
  /** Which files are of use. All else is passed over. */
  readonly wants: (path: string) => boolean
  /** Of all that is wanted. */
  readonly maxBytes: number
}

const blockBytes = 512
const maxNameBytes = 4096
const maxEntries = 100_000

/**
 * Reads the wanted regular files out of a tar stream as dpkg writes it: ustar with GNU's long names.
 * @throws AegisError `invalid` / `kernel.package`
 */
export async function* readTar(
  source: AsyncIterable<Buffer>,
  { wants, maxBytes }: TarOptions,
): AsyncGenerator<TarFile> {
  const reader = blockReader(source)
  let longName: string | undefined
  let left = maxBytes
  for (let entries = 0; ; entries += 1) {
    const header = await reader.read(blockBytes)
    if (header.length === 0 || header.every((byte) => byte === 0)) return
    if (header.length < blockBytes) throw invalid('ends too early')
    if (entries >= maxEntries) throw invalid(`has more than ${maxEntries} entries`)
    if (checksum(header) !== octal(header, 148, 8)) throw invalid('has a bad header')
    const size = octal(header, 124, 12)
    const padded = Math.ceil(size / blockBytes) * blockBytes
    const type = String.fromCharCode(header[156] ?? 0)
    if (type === 'L') {
      if (size > maxNameBytes) throw invalid('has a name that is too long')
      longName = untilZero((await whole(reader, padded)).subarray(0, size))
      continue
    }
    const path = (longName ?? nameOf(header)).replace(/^\.\//, '')
    longName = undefined
    if ((type === '0' || type === '\0') && wants(path)) {
      left -= size
      if (left < 0) throw invalid(`holds more than ${maxBytes} bytes of what is wanted`)
      yield { path, content: (await whole(reader, padded)).subarray(0, size) }
    } else await reader.skip(padded)
  }
}

interface BlockReader {
  /** As many bytes as asked for, or fewer at the end. */
  read(bytes: number): Promise<Buffer>
  skip(bytes: number): Promise<void>
}

function blockReader(source: AsyncIterable<Buffer>): BlockReader {
  const iterator = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const next = async (): Promise<boolean> => {
    const result = await iterator.next()
    rest = result.done ? Buffer.alloc(0) : result.value
    return !result.done
  }
  return {
    async read(bytes) {
      const parts: Buffer[] = []
      for (let missing = bytes; missing > 0; ) {
        if (rest.length === 0 && !(await next())) break
        const part = rest.subarray(0, missing)
        rest = rest.subarray(part.length)
        missing -= part.length
        parts.push(part)
      }
      return Buffer.concat(parts)
    },
    async skip(bytes) {
      for (let missing = bytes; missing > 0; ) {
        if (rest.length === 0 && !(await next())) throw invalid('ends too early')
        const part = Math.min(missing, rest.length)
        rest = rest.subarray(part)
        missing -= part
      }
    },
  }
}

async function whole(reader: BlockReader, bytes: number): Promise<Buffer> {
  const content = await reader.read(bytes)
  if (content.length < bytes) throw invalid('ends too early')
  return content
}

function nameOf(header: Buffer): string {
  const name = untilZero(header.subarray(0, 100))
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isUstar ? untilZero(header.subarray(345, 500)) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

function octal(header: Buffer, at: number, length: number): number {
  const text = header
    .toString('latin1', at, at + length)
    .replace(/[\0 ]+$/, '')
    .trimStart()
  if (!/^[0-7]{1,11}$/.test(text)) throw invalid('has a bad number')
  return Number.parseInt(text, 8)
}

/** All bytes of the header, those of the checksum itself taken for spaces. */
function checksum(header: Buffer): number {
  let sum = 8 * 32
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte
  return sum
}

const invalid = (reason: string) =>
  new AegisError(
    'invalid',
    'kernel.package',
    `The content of this package is no tar archive: it ${reason}. Fetch it again: aegis kernel fetch`,
  )
