/** A file or directory of an initial RAM file system; it belongs to root. */
export interface CpioEntry {
  /** Without a slash in front. */
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  /** Absent: a directory. */
  readonly content?: Uint8Array
}

/**
 * An archive as kernels unpack it before anything runs (`newc`). Two of them in a row are one: the
 * kernel unpacks one after the other. The same entries give the same bytes.
 */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const records = entries.map((entry, index) => record(entry, index + 1))
  return Buffer.concat([...records, record({ path: 'TRAILER!!!', mode: 0 }, 0, 0)])
}

const directoryType = 0o040000
const fileType = 0o100000

function record(
  { path, mode, content }: CpioEntry,
  inode: number,
  type = content === undefined ? directoryType : fileType,
): Buffer {
  const name = Buffer.from(`${path}\0`)
  const size = content?.length ?? 0
  // inode, mode, uid, gid, links, time, size, device and special device (two each), name, checksum
  const fields = [inode, type | mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.length, 0]
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
  return Buffer.concat([
    ...padded(Buffer.concat([Buffer.from(head, 'latin1'), name])),
    ...padded(content ?? Buffer.alloc(0)),
  ])
}

const padded = (bytes: Uint8Array): readonly Uint8Array[] => [
  bytes,
  Buffer.alloc((4 - (bytes.length % 4)) % 4),
]
