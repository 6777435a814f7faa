import type { Readable } from 'node:stream'
import type { ChatDelta } from '../chat/chat.ts'
import type { FrameReader } from '../dialects/provider-dialect.ts'
import { limits } from '../limits.ts'
import { llmFault } from '../llm-fault.ts'
import type { Frame, FrameSplitter } from '../wire/frame.ts'
import type { ReplyBatch } from './provider.ts'

export interface ReadStreamOptions {
  readonly splitter: FrameSplitter
  readonly reader: FrameReader
  /** Keep the bytes, for an agent of the same dialect. */
  readonly passThrough: boolean
  /** Sees each frame before anybody else. @throws to end the stream */
  readonly inspect: (frame: Buffer) => void
}

/**
 * Reads a provider's stream: one batch for each chunk that completes a frame, and one last batch
 * with all from the answer's end on.
 * @throws AegisError `unavailable` when the stream ends without an end, or is none
 */
export async function* readStream(
  body: Readable,
  { splitter, reader, passThrough, inspect }: ReadStreamOptions,
): AsyncGenerator<ReplyBatch> {
  let deltas: ChatDelta[] = []
  let bytes: Buffer[] = []
  let stopping = false
  let ended = false
  /** Whether anything but comments came: before that, it may not be a stream at all. */
  let begun = false
  /** Bytes that came before the beginning and after the end, and wait. */
  let held = 0

  const take = (last: boolean): ReplyBatch => {
    const batch = { deltas, bytes: passThrough ? joined(bytes) : undefined, last }
    deltas = []
    bytes = []
    return batch
  }

  function* read(frames: readonly Frame[]): Generator<ReplyBatch> {
    for (const frame of frames) {
      inspect(frame.bytes)
      const found: ChatDelta[] = []
      const verdict = frame.data === '' ? 'more' : reader.read(frame.data, found)
      if (verdict === 'stop' && !stopping) {
        if (bytes.length > 0 || deltas.length > 0) yield take(false)
        stopping = true
      } else if (verdict === 'end') ended = true
      for (const delta of found) deltas.push(delta)
      if (passThrough && verdict !== 'hidden') bytes.push(frame.bytes)
      begun ||= frame.data !== ''
      if (stopping || !begun) held += frame.bytes.length
      if (held > limits.frameBytes) throw broken()
      if (ended) return
    }
  }

  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      yield* read(splitter.push(chunk))
      if (ended) break
      if (begun && !stopping && (bytes.length > 0 || deltas.length > 0)) yield take(false)
    }
    const rest = ended ? undefined : splitter.flush()
    if (rest !== undefined) yield* read([rest])
    if (!ended && !stopping) throw broken()
    if (!ended && reader.terminator !== undefined) bytes.push(Buffer.from(reader.terminator))
    yield take(true)
  } finally {
    if (ended) letEnd(body)
    else body.destroy()
  }
}

const joined = (parts: readonly Buffer[]): Buffer => {
  const [first] = parts
  return first !== undefined && parts.length === 1 ? first : Buffer.concat(parts)
}

const broken = () =>
  llmFault('unavailable', 'llm.stream-broken', 'The provider ended its answer too early.', {
    retryable: true,
  })

/** How long a finished stream may take to close before its connection is given up. */
const closingMs = 2_000

/** Reads the delimiter that ends the body, so that the connection can serve the next call. */
function letEnd(body: Readable): void {
  if (body.readableEnded || body.destroyed) return
  const timer = setTimeout(() => body.destroy(), closingMs)
  body.once('close', () => clearTimeout(timer))
  body.resume()
}
