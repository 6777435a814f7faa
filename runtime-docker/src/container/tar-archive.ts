/** One entry of an archive. */
export interface TarEntry {
  /** Relative to where the archive is unpacked. */
  readonly path: string
  /** Absent: it is a directory. */
  readonly content?: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

const blockBytes = 512
/** What the octal fields of a header hold. */
const maxId = 0o7777777
const maxNameBytes = 100

/** An archive of POSIX.1-2001 (pax): a header, then the content, in blocks of 512 bytes. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => [...extension(entry), ...member(entry)])
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)])
}

function member({ path, content, mode, uid, gid }: TarEntry): readonly Uint8Array[] {
  const bytes = content ?? new Uint8Array(0)
  const kind = content === undefined ? '5' : '0'
  return [header({ path, kind, size: bytes.length, mode, uid, gid }), bytes, padding(bytes.length)]
}

/** What the header of an entry has no room for goes before it, as records `length key=value`. */
function extension({ path, uid, gid }: TarEntry): readonly Uint8Array[] {
  const records = [
    ...(Buffer.byteLength(path) > maxNameBytes || /[^\x20-\x7e]/.test(path)
      ? [record('path', path)]
      : []),
    ...(uid > maxId ? [record('uid', `${uid}`)] : []),
    ...(gid > maxId ? [record('gid', `${gid}`)] : []),
  ]
  if (records.length === 0) return []
  const body = Buffer.concat(records)
  const about = { path: 'pax', kind: 'x', size: body.length, mode: 0o644, uid: 0, gid: 0 }
  return [header(about), body, padding(body.length)]
}

/** The length that begins a record counts itself. */
function record(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  const restBytes = Buffer.byteLength(rest)
  let length = restBytes + 1
  while (`${length}`.length + restBytes !== length) length = `${length}`.length + restBytes
  return Buffer.from(`${length}${rest}`)
}

interface Header {
  readonly path: string
  readonly kind: string
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

function header({ path, kind, size, mode, uid, gid }: Header): Buffer {
  const block = Buffer.alloc(blockBytes)
  const octal = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  Buffer.from(path).copy(block, 0, 0, maxNameBytes)
  octal(mode, 100, 7)
  octal(Math.min(uid, maxId), 108, 7)
  octal(Math.min(gid, maxId), 116, 7)
  octal(size, 124, 11)
  octal(0, 136, 11)
  block.write(kind, 156, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  // The sum counts its own field as blanks.
  block.fill(' ', 148, 156)
  const sum = block.reduce((all, byte) => all + byte, 0)
  octal(sum, 148, 6)
  return block
}

const padding = (bytes: number): Buffer =>
  Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes)
