import { type ChatRequest, textOf } from './chat.ts'

/** About four characters a token: good enough for counters where a provider does not count. */
export const estimateTokens = (text: string): number => Math.ceil(text.length / 4)

/** Tokens of a request, with a few for each message's frame, and its tools. */
export function estimatePromptTokens(request: ChatRequest): number {
  let tokens = 0
  for (const message of request.messages) {
    tokens += estimateTokens(textOf(message)) + 3
    if (message.role === 'assistant') {
      for (const call of message.toolCalls) tokens += estimateTokens(call.name + call.arguments)
    }
  }
  if (request.tools.length > 0) tokens += estimateTokens(JSON.stringify(request.tools))
  return tokens
}
