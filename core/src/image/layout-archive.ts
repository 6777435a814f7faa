/** A file of an OCI layout: `index.json`, `blobs/sha256/…`. */
export interface LayoutFile {
  readonly path: string
  readonly sizeBytes: number
  /** Asked for once. */
  content(): AsyncIterable<Uint8Array>
}

const blockBytes = 512

/**
 * An OCI layout as a tar archive (ustar), made while it is read. Files come in the order in which
 * they are given, and nothing of them is kept.
 * @throws RangeError a file is longer or shorter than it said · what a content throws
 */
export async function* layoutArchive(
  files: Iterable<LayoutFile> | AsyncIterable<LayoutFile>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { path, sizeBytes, content } of files) {
    yield header(path, sizeBytes)
    let doneBytes = 0
    for await (const part of content()) {
      doneBytes += part.length
      if (doneBytes > sizeBytes) break
      yield part
    }
    if (doneBytes !== sizeBytes) throw new RangeError(`${path} has not the length that it had`)
    const over = sizeBytes % blockBytes
    if (over > 0) yield new Uint8Array(blockBytes - over)
  }
  yield new Uint8Array(2 * blockBytes)
}

function header(path: string, sizeBytes: number): Uint8Array {
  const block = new Uint8Array(blockBytes)
  const put = (text: string, at: number) => {
    for (let index = 0; index < text.length; index++) block[at + index] = text.charCodeAt(index)
  }
  put(path, 0)
  put('0000444\0', 100)
  put('0000000\0', 108)
  put('0000000\0', 116)
  putSize(block, sizeBytes)
  put('00000000000\0', 136)
  put('0', 156)
  put('ustar\u000000', 257)
  put('        ', 148)
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** In octal digits; what eleven of them cannot hold is binary, marked by the highest bit. */
function putSize(block: Uint8Array, sizeBytes: number): void {
  const at = 124
  const digits = sizeBytes.toString(8).padStart(11, '0')
  if (digits.length === 11) {
    for (let index = 0; index < 11; index++) block[at + index] = digits.charCodeAt(index)
    return
  }
  let rest = sizeBytes
  for (let index = 11; index > 0; index--) {
    block[at + index] = rest % 256
    rest = Math.floor(rest / 256)
  }
  block[at] = 0x80
}
