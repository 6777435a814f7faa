import type { ChatAnswer, ChatDelta, ChatRequest, Usage } from '../chat/chat.ts'
import type { Fault } from '../llm-fault.ts'

/** How agents of one protocol ask, and how they are answered. */
export interface AgentDialect {
  /**
   * `accept`: the media types the agent asks for.
   * @throws AegisError `invalid` (naming the field) or `unsupported`
   */
  parse(body: unknown, accept: string): ChatRequest
  /** The body of a whole answer. */
  answer(answer: CountedAnswer, about: AnswerAbout): unknown
  stream(about: AnswerAbout, request: ChatRequest): AnswerStream
  /** The body of a failed answer. */
  fault(fault: Fault): unknown
}

export interface AnswerAbout {
  /** Unique among answers: letters and digits. */
  readonly id: string
  readonly provider: string
  /** The provider's own name of the model. */
  readonly model: string
  readonly startedAt: Date
  /** For protocols that say so before the provider has counted. */
  readonly estimatedPromptTokens: number
}

export type CountedAnswer = ChatAnswer & { readonly usage: Usage; readonly durationMs: number }

/** Writes one streamed answer; each method gives the text to send. */
export interface AnswerStream {
  readonly contentType: string
  write(deltas: readonly ChatDelta[]): string
  end(answer: CountedAnswer): string
  /** Ends a stream that broke. */
  fault(fault: Fault): string
}
