import { AegisError, type PullProgress } from '@aegis/core'
import { problem, pullProgress, type StreamMessage } from '@aegis/http-contract'
import type { ZodType } from 'zod'
import type { HttpTransport, StreamCall } from './http-transport.ts'
import { errorOf, isNetworkFailure } from './read-problem.ts'

/**
 * The messages of a stream that cannot be taken up again. Ends when the node ends it in good order.
 * @throws AegisError what the node answered · `unavailable` / `node.unreachable` when the connection
 * breaks · the reason of the signal
 */
export async function* readStream(
  transport: HttpTransport,
  call: StreamCall,
): AsyncGenerator<StreamMessage> {
  try {
    for await (const message of await transport.stream(call)) {
      if (message.event === 'problem') throw errorOf(parseData(message, problem))
      yield message
    }
  } catch (error) {
    call.signal.throwIfAborted()
    throw isNetworkFailure(error) ? broken(transport.url, error) : error
  }
}

/**
 * What work on the node ends with, told as the message `last`; until then it says how far it is.
 * @throws what `readStream` throws
 */
export const readOutcome = <Outcome>(
  transport: HttpTransport,
  call: StreamCall,
  last: { readonly event: string; readonly schema: ZodType<Outcome> },
  onProgress: (progress: PullProgress) => void,
): Promise<Outcome> => readWork(transport, call, last, { schema: pullProgress, hear: onProgress })

/** The same, of work with another kind of progress. */
export async function readWork<Outcome, Progress>(
  transport: HttpTransport,
  call: StreamCall,
  last: { readonly event: string; readonly schema: ZodType<Outcome> },
  progress: { readonly schema: ZodType<Progress>; readonly hear: (news: Progress) => void },
): Promise<Outcome> {
  for await (const message of readStream(transport, call)) {
    if (message.event === 'progress') progress.hear(parseData(message, progress.schema))
    if (message.event === last.event) return parseData(message, last.schema)
  }
  throw broken(transport.url, undefined)
}

/** @throws AegisError `unavailable` / `node.bad-answer` when the client does not know its form */
export function parseData<Data>({ data }: StreamMessage, schema: ZodType<Data>): Data {
  try {
    return schema.parse(JSON.parse(data))
  } catch (cause) {
    throw new AegisError(
      'unavailable',
      'node.bad-answer',
      'The node sent an event that this client does not understand. Use a client of the same version as the node.',
      { cause },
    )
  }
}

const broken = (url: string, cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'node.unreachable',
    `The connection to the node at ${url} broke before it was done. Check aegis daemon status, then ask again.`,
    { cause, details: { url } },
  )
