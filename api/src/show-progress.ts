import type { OutgoingEvent } from './event-stream-reply.ts'
import { limits } from './limits.ts'

/**
 * The events of work that says how far it is: `progress` …, then the one that it ends with. A slow
 * reader misses the older ones. Throws what the work throws.
 */
export async function* showProgress<Progress extends object>(
  work: (onProgress: (progress: Progress) => void) => Promise<OutgoingEvent>,
): AsyncGenerator<OutgoingEvent> {
  let unread: OutgoingEvent[] = []
  let news = Promise.withResolvers<void>()
  let isOver = false
  const last = work((progress) => {
    unread.push({ event: 'progress', data: progress })
    if (unread.length > limits.unreadProgress) unread.shift()
    news.resolve()
  }).finally(() => {
    isOver = true
    news.resolve()
  })
  last.catch(() => undefined) // It is thrown below, when what came before it is read.
  while (!isOver || unread.length > 0) {
    await news.promise
    if (!isOver) news = Promise.withResolvers()
    const batch = unread
    unread = []
    yield* batch
  }
  yield await last
}
