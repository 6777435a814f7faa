/** Where the parts of a multiplexed stream go. */
export interface DemuxHandlers {
  onStdout(bytes: Buffer): void
  onStderr(bytes: Buffer): void
}

const headerBytes = 8
/** 0 is stdin, which an engine only echoes; 3 is what the engine itself complains of. */
const streams = { stdin: 0, stdout: 1, stderr: 2, engine: 3 } as const

/**
 * Takes apart what an attached container without a terminal sends: frames of a stream's number, three
 * zeros and a length as u32, then that many bytes (Engine API, ContainerAttach). Nothing is kept:
 * a frame is handed on in the parts in which it arrives, however long it says it is.
 */
export class StreamDemuxer {
  readonly #handlers: DemuxHandlers
  readonly #header = Buffer.alloc(headerBytes)
  #headerLength = 0
  #stream = 0
  #left = 0

  constructor(handlers: DemuxHandlers) {
    this.#handlers = handlers
  }

  /** @throws RangeError on a frame of no known stream */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left === 0) at += this.#readHeader(chunk.subarray(at))
      else {
        const part = chunk.subarray(at, at + this.#left)
        this.#left -= part.length
        at += part.length
        this.#hand(part)
      }
    }
  }

  #readHeader(bytes: Buffer): number {
    const taken = bytes.copy(this.#header, this.#headerLength, 0, headerBytes - this.#headerLength)
    this.#headerLength += taken
    if (this.#headerLength < headerBytes) return taken
    this.#headerLength = 0
    this.#stream = this.#header.readUInt32BE(0) / 2 ** 24
    this.#left = this.#header.readUInt32BE(4)
    if (!Number.isInteger(this.#stream) || this.#stream > streams.engine)
      throw new RangeError('The engine sent a frame of no known stream')
    return taken
  }

  #hand(part: Buffer): void {
    if (this.#stream === streams.stdout) this.#handlers.onStdout(part)
    else if (this.#stream !== streams.stdin) this.#handlers.onStderr(part)
  }
}
