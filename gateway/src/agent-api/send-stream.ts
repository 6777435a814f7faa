import type { ServerResponse } from 'node:http'
import { makeAnswerTally } from '../chat/answer-tally.ts'
import type { AnswerStream } from '../dialects/agent-dialect.ts'
import { limits } from '../limits.ts'
import { describeFault, llmFault } from '../llm-fault.ts'
import type { ReplyBatch } from '../providers/provider.ts'
import type { AgentRequest } from './agent-request.ts'
import type { CallRecord } from './record-call.ts'

/**
 * Streams an answer as it comes and holds its end back until the call is recorded. A stream that
 * breaks ends with a failure in the agent's dialect, and what came before it is recorded.
 */
export async function sendStream(
  { outgoing, signal }: AgentRequest,
  stream: AnswerStream,
  batches: AsyncIterable<ReplyBatch>,
  record: CallRecord,
): Promise<void> {
  const tally = makeAnswerTally(limits.recordedAnswerBytes)
  outgoing.writeHead(200, { 'content-type': stream.contentType, 'cache-control': 'no-cache' })
  try {
    for await (const { deltas, bytes, last } of batches) {
      for (const delta of deltas) tally.add(delta)
      const piece = bytes ?? stream.write(deltas)
      if (last) {
        const answer = await record.answered(tally.answer())
        if (piece.length > 0) outgoing.write(piece)
        outgoing.end(bytes === undefined ? stream.end(answer) : undefined)
        return
      }
      if (piece.length > 0 && !outgoing.write(piece)) await drained(outgoing, signal)
    }
    throw llmFault('unavailable', 'llm.stream-broken', 'The provider ended its answer too early.')
  } catch (error) {
    await record.failed(error, tally.answer())
    if (!signal.aborted) outgoing.end(stream.fault(describeFault(error)))
    throw error
  }
}

function drained(outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      outgoing.off('drain', onDrain)
      signal.removeEventListener('abort', onAbort)
      finish()
    }
    const onDrain = () => settle(resolve)
    const onAbort = () => settle(() => reject(signal.reason))
    const timer = setTimeout(() => {
      const message = `The agent left its answer unread for ${limits.unreadMs} ms.`
      settle(() => reject(llmFault('timeout', 'llm.unread', message)))
      outgoing.destroy()
    }, limits.unreadMs)
    outgoing.on('drain', onDrain)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}
