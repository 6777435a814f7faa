/** The small form between the dialects: what each of them says, in words that belong to none. */
export interface ChatRequest {
  /** Alias or model as the agent named it; absent: the agent's default. */
  readonly model: string | undefined
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly ToolSpec[]
  readonly toolChoice?: ToolChoice | undefined
  readonly stream: boolean
  /** Whether a stream is to end with a count of tokens, where the protocol leaves the choice. */
  readonly streamUsage?: boolean | undefined
  /** How many answers; 1 where the protocol knows no more. */
  readonly choices?: number | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  /** Most tokens of the answer. */
  readonly maxTokens?: number | undefined
  readonly stop?: readonly string[] | undefined
  /** Any JSON, or JSON that follows a schema. */
  readonly format?: 'json' | { readonly schema: unknown } | undefined
}

export type ChatMessage =
  | { readonly role: 'system'; readonly text: string }
  | { readonly role: 'user'; readonly parts: readonly ContentPart[] }
  | { readonly role: 'assistant'; readonly text: string; readonly toolCalls: readonly ToolCall[] }
  | {
      readonly role: 'tool'
      readonly callId: string
      readonly name?: string | undefined
      readonly text: string
    }

export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly mediaType: string; readonly base64: string }
  | { readonly type: 'image-url'; readonly url: string }
  /** Something only its own protocol has words for. */
  | { readonly type: 'other'; readonly name: string }

export interface ToolSpec {
  readonly name: string
  readonly description?: string | undefined
  /** JSON Schema of the arguments. */
  readonly parameters: unknown
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON text, as the model wrote it. */
  readonly arguments: string
}

export type StopReason = 'stop' | 'length' | 'tool-calls' | 'filter'

export interface Usage {
  readonly promptTokens: number
  readonly completionTokens: number
}

/** A whole answer. */
export interface ChatAnswer {
  readonly text: string
  readonly toolCalls: readonly ToolCall[]
  readonly stop: StopReason
  /** As the provider counted; absent: it did not. */
  readonly usage?: Usage | undefined
}

/** A piece of a streamed answer. */
export type ChatDelta =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool-call'
      /** Which call of the answer this piece belongs to; its id and name come with the first piece. */
      readonly index: number
      readonly id?: string | undefined
      readonly name?: string | undefined
      readonly arguments: string
    }
  | {
      readonly type: 'usage'
      readonly promptTokens?: number | undefined
      readonly completionTokens?: number | undefined
    }
  | { readonly type: 'stop'; readonly reason: StopReason }

export const userText = (text: string): ChatMessage => ({
  role: 'user',
  parts: [{ type: 'text', text }],
})

/** The readable text of a message. */
export function textOf(message: ChatMessage): string {
  if (message.role !== 'user') return message.text
  return message.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
}

/** What is new in a request: the messages after the model's last answer, or the very last one. */
export function latestPrompt(messages: readonly ChatMessage[]): string {
  const lastAnswer = messages.findLastIndex((message) => message.role === 'assistant')
  const texts = messages
    .slice(lastAnswer + 1)
    .filter((message) => message.role === 'user' || message.role === 'tool')
    .map(textOf)
  const last = messages.at(-1)
  return texts.length === 0 && last !== undefined ? textOf(last) : texts.join('\n\n')
}
