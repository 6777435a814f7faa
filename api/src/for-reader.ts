import { AegisError } from '@aegis/core'
import type { FastifyReply } from 'fastify'

/**
 * Does what a request asks for while somebody is there to read the answer. The signal is aborted
 * when the client leaves or the API closes.
 * @throws AegisError `cancelled` / `request.abandoned` · `unavailable` / `node.stopping` · what the
 * work throws
 */
export async function forReader<Answer>(
  { raw }: FastifyReply,
  closing: AbortSignal,
  work: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const over = new AbortController()
  const leave = (): void => over.abort(abandoned())
  const stop = (): void => over.abort(stopping())
  raw.once('close', leave)
  closing.addEventListener('abort', stop, { once: true })
  if (closing.aborted) stop()
  try {
    return await work(over.signal)
  } catch (error) {
    // However the work puts it: this is why.
    over.signal.throwIfAborted()
    throw error
  } finally {
    raw.off('close', leave)
    closing.removeEventListener('abort', stop)
  }
}

const abandoned = (): AegisError =>
  new AegisError('cancelled', 'request.abandoned', 'The client went away before the answer.')

const stopping = (): AegisError =>
  new AegisError('unavailable', 'node.stopping', 'The node stops. Ask again when it is back.')
