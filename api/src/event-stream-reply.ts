import { Readable } from 'node:stream'
import { AegisError, type Clock, type Logger } from '@aegis/core'
import { formatComment, formatMessage } from '@aegis/http-contract'
import type { FastifyReply } from 'fastify'
import { type Caller, callOf } from './call.ts'
import { limits } from './limits.ts'
import { bugProblem, problemOf } from './problem.ts'

/** One event on its way out. */
export interface OutgoingEvent {
  /** Where a reader may resume; absent: nowhere. */
  readonly id?: string
  /** What it is called; absent: `message`. */
  readonly event?: string
  readonly data: object
}

/** Answers with event streams, and breaks them off when the API closes. */
export interface EventStreams {
  /**
   * Sends events as fast as the reader takes them and holds none in between. The connection ends
   * in good order after the last event; when it breaks instead, the reader may resume.
   * @throws AegisError `exhausted` / `stream.limit` too many streams are open
   */
  send(
    reply: FastifyReply,
    events: (signal: AbortSignal) => AsyncIterable<OutgoingEvent>,
  ): FastifyReply
  readonly open: number
}

interface Deps {
  readonly closing: AbortSignal
  readonly clock: Pick<Clock, 'sleep'>
  readonly logger: Logger
}

export function makeEventStreams({ closing, clock, logger }: Deps): EventStreams {
  const streams = new Set<Readable>()
  return {
    get open() {
      return streams.size
    },
    send(reply, events) {
      if (streams.size >= limits.streams) {
        throw new AegisError(
          'exhausted',
          'stream.limit',
          `${limits.streams} event streams are open, the most that the node serves. Close one first.`,
        )
      }
      const gone = new AbortController()
      const signal = AbortSignal.any([gone.signal, closing])
      const text = encode(events(signal), signal, (error) => {
        const requestId = reply.request.id
        logger.error({ err: error, requestId }, 'api bug in an event stream')
        return bugProblem(requestId)
      })
      const stream = Readable.from(text, { objectMode: false, highWaterMark: 16 * 1024 })
      streams.add(stream)
      stream.once('close', () => {
        streams.delete(stream)
        gone.abort()
      })
      const { caller } = callOf(reply.request)
      if (caller !== undefined) {
        // Whoever is no longer let in hears no more either.
        whenUnknown(caller, clock, signal).then(
          () => gone.abort(),
          () => {}, // It was over before.
        )
      }
      reply.raw.once('close', () => stream.destroy())
      reply.raw.once('close', () => gone.abort())
      reply.request.raw.socket.setTimeout(limits.stalledReaderMs)
      return reply
        .type('text/event-stream; charset=utf-8')
        .header('x-accel-buffering', 'no')
        .send(stream)
    },
  }
}

/** Resolves once the caller's token opens nothing any more. Rejects when the signal is aborted. */
async function whenUnknown(
  { isStillKnown }: Caller,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<void> {
  do await clock.sleep(limits.recheckMs, signal)
  while (await isStillKnown())
}

/** The stream's text. Ends by throwing when the signal is aborted, so that the reader can tell. */
async function* encode(
  events: AsyncIterable<OutgoingEvent>,
  signal: AbortSignal,
  reportBug: (error: unknown) => object,
): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]()
  // Before the reader hears that it is connected, so that it misses nothing from then on.
  let next = iterator.next()
  next.catch(() => undefined) // It is thrown below.
  try {
    yield formatComment('connected') // Sends the head at once, also when the first event takes long.
    while (true) {
      const outcome = await firstOf(next, signal)
      if (outcome === 'quiet') {
        yield formatComment('keep-alive')
        continue
      }
      signal.throwIfAborted()
      if (outcome.done === true) return
      const { data, ...named } = outcome.value
      yield formatMessage({ ...named, data: JSON.stringify(data) })
      next = iterator.next()
    }
  } catch (error) {
    signal.throwIfAborted()
    const problem = error instanceof AegisError ? problemOf(error) : reportBug(error)
    yield formatMessage({ event: 'problem', data: JSON.stringify(problem) })
  } finally {
    await iterator.return?.()
  }
}

/** The next event, or `quiet` when it is time for a sign of life. Rejects when aborted. */
async function firstOf<T>(next: Promise<T>, signal: AbortSignal): Promise<T | 'quiet'> {
  const { promise, resolve, reject } = Promise.withResolvers<'quiet'>()
  const abort = () => reject(signal.reason)
  const timer = setTimeout(() => resolve('quiet'), limits.keepAliveMs)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await Promise.race([next, promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
