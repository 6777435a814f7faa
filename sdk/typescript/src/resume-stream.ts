import { setTimeout as sleep } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import { problem, type StreamMessage } from '@aegis/http-contract'
import type { HttpTransport, StreamCall } from './http-transport.ts'
import { errorOf, isNetworkFailure } from './read-problem.ts'

export interface Reconnect {
  /** In a row, without a message in between, before giving up. */
  readonly attempts: number
  /** Before the first attempt; doubled each time, with jitter. */
  readonly firstDelayMs: number
  readonly maxDelayMs: number
}

/** Gives a restarting node about half a minute. */
export const defaultReconnect: Reconnect = { attempts: 10, firstDelayMs: 100, maxDelayMs: 5_000 }

/**
 * The messages of a stream, taken up again behind the last one seen whenever the connection
 * breaks. Ends when the node ends the stream in good order, and quietly when the signal is
 * aborted.
 * @throws AegisError what the node answered · `unavailable` / `node.unreachable` when the first
 * connection or all attempts in a row failed
 */
export async function* resumeStream(
  transport: HttpTransport,
  call: Pick<StreamCall, 'path' | 'query' | 'signal'>,
  reconnect: Reconnect,
): AsyncGenerator<StreamMessage> {
  let lastEventId: string | undefined
  let connected = false
  let failures = 0
  while (!call.signal.aborted) {
    try {
      const messages = await transport.stream({ ...call, method: 'GET', lastEventId })
      connected = true
      for await (const message of messages) {
        if (message.event === 'problem') throw errorOf(problem.parse(JSON.parse(message.data)))
        failures = 0
        if (message.lastEventId !== '') lastEventId = message.lastEventId
        yield message
      }
      return
    } catch (error) {
      if (call.signal.aborted) return
      failures += 1
      if (!connected || !isBroken(error) || failures > reconnect.attempts) {
        throw isNetworkFailure(error) ? lost(transport.url, error) : error
      }
      await sleep(delayMs(failures, reconnect), undefined, { signal: call.signal }).catch(() => {})
    }
  }
}

/** Whether trying again can help: the connection broke, or the node is just restarting. */
const isBroken = (error: unknown): boolean =>
  isNetworkFailure(error) ||
  (error instanceof AegisError &&
    error.kind === 'unavailable' &&
    (error.code === 'node.unreachable' || error.code === 'node.http-status'))

function delayMs(failures: number, { firstDelayMs, maxDelayMs }: Reconnect): number {
  const full = Math.min(maxDelayMs, firstDelayMs * 2 ** (failures - 1))
  return full / 2 + (Math.random() * full) / 2
}

const lost = (url: string, cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'node.unreachable',
    `The connection to the node at ${url} broke and could not be made again. Check aegis daemon status; nothing that was accepted is lost.`,
    { cause, details: { url } },
  )
