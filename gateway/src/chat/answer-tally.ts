import type { ChatAnswer, ChatDelta, StopReason, ToolCall } from './chat.ts'

/** Puts the pieces of a streamed answer together. */
export interface AnswerTally {
  add(delta: ChatDelta): void
  answer(): ChatAnswer
}

const maxCalls = 1000

/** Keeps at most `maxChars` of text and of tool arguments; more is counted by nobody and dropped. */
export function makeAnswerTally(maxChars: number): AnswerTally {
  const texts: string[] = []
  const calls = new Map<number, { id: string; name: string; arguments: string }>()
  let room = maxChars
  let promptTokens: number | undefined
  let completionTokens: number | undefined
  let stop: StopReason | undefined

  const fitting = (text: string): string => {
    const kept = text.length <= room ? text : text.slice(0, room)
    room -= kept.length
    return kept
  }

  return {
    add(delta) {
      switch (delta.type) {
        case 'text':
          if (room > 0) texts.push(fitting(delta.text))
          return
        case 'tool-call': {
          const call = calls.get(delta.index) ?? { id: '', name: '', arguments: '' }
          call.id ||= fitting(delta.id ?? '')
          call.name ||= fitting(delta.name ?? '')
          call.arguments += fitting(delta.arguments)
          if (room > 0 && calls.size < maxCalls) calls.set(delta.index, call)
          return
        }
        case 'usage':
          promptTokens = delta.promptTokens ?? promptTokens
          completionTokens = delta.completionTokens ?? completionTokens
          return
        case 'stop':
          stop = delta.reason
      }
    },
    answer() {
      const toolCalls: ToolCall[] = [...calls.entries()]
        .sort(([a], [b]) => a - b)
        .map(([, call]) => ({ ...call, arguments: call.arguments || '{}' }))
      const counted = promptTokens !== undefined || completionTokens !== undefined
      return {
        text: texts.join(''),
        toolCalls,
        stop: stop ?? (toolCalls.length > 0 ? 'tool-calls' : 'stop'),
        usage: counted
          ? { promptTokens: promptTokens ?? 0, completionTokens: completionTokens ?? 0 }
          : undefined,
      }
    },
  }
}
