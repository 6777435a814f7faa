import type { Clock } from '../kernel/clock.ts'
import type { ExecutionEvent } from './execution-event.ts'

export interface ConsoleRecorder {
  /**
   * Resolves at the end of the stream, with all of it noted: what is noted later is stored behind
   * it. Rejects as soon as storing fails.
   */
  readonly finished: Promise<void>
  /** What came so far, at most `keepCharacters`; a note tells what was cut. */
  text(): string
  /** The last line that is not blank, at most 500 characters of it. */
  lastLine(): string
}

interface Options {
  readonly chunks: AsyncIterable<Uint8Array>
  readonly stream: 'stdout' | 'stderr'
  readonly iteration: number
  /** Characters of the stream kept for the output; all of it is in the events. */
  readonly keepCharacters: number
  readonly note: (event: ExecutionEvent) => Promise<void>
  /** Called when the first of it has come. */
  readonly onFirst?: () => void
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Characters of one console event. */
const maxEventCharacters = 16 * 1024
/** Characters that may wait for the store before the agent is held back. */
const maxWaitingCharacters = 64 * 1024
/** Characters in which the last line is looked for. */
const tailCharacters = 4096
/** Between two events of one stream, so that an agent that prints byte by byte makes few. */
const minIntervalMs = 25

/**
 * Turns what a command prints into console events: the first at once, then gathered. While the
 * store is behind, reading pauses, and flow control holds the command back.
 */
export function recordConsole(options: Options): ConsoleRecorder {
  const { chunks, stream, iteration, keepCharacters, note, onFirst, clock, signal } = options
  const decoder = new TextDecoder()
  const over = new AbortController()
  const hurry = AbortSignal.any([signal, over.signal])
  const failed = Promise.withResolvers<never>()
  let kept = ''
  let tail = ''
  let total = 0
  let waiting = ''
  let flushing: Promise<void> | undefined

  const noteNext = (): Promise<void> => {
    const text = waiting.slice(0, maxEventCharacters)
    waiting = waiting.slice(text.length)
    return note({ type: 'execution.console', iteration, stream, text, at: clock.now() })
  }

  const flush = async (): Promise<void> => {
    while (waiting !== '') {
      await noteNext()
      if (waiting.length < maxEventCharacters && !hurry.aborted) {
        await clock.sleep(minIntervalMs, hurry).catch(() => undefined)
      }
    }
  }

  const take = async (text: string): Promise<void> => {
    if (text === '') return
    if (total === 0) onFirst?.()
    total += text.length
    if (kept.length < keepCharacters) kept += text.slice(0, keepCharacters - kept.length)
    tail = (tail + text).slice(-tailCharacters)
    waiting += text
    flushing ??= flush()
      .catch(failed.reject)
      .finally(() => {
        flushing = undefined
      })
    if (waiting.length > maxWaitingCharacters) await flushing
  }

  const pump = async (): Promise<void> => {
    for await (const chunk of chunks) await take(decoder.decode(chunk, { stream: true }))
    over.abort()
    await take(decoder.decode())
    while (waiting !== '') void noteNext().catch(failed.reject)
  }

  return {
    finished: Promise.race([pump(), failed.promise]),
    text: () =>
      total > kept.length
        ? `${kept}\n[cut here: ${total} characters in all; the log holds the rest]\n`
        : kept,
    lastLine: () => tail.trimEnd().split('\n').at(-1)?.trim().slice(0, 500) ?? '',
  }
}
