import type { LlmModelConfig, LlmProviderConfig } from '@aegis/core'
import type { ChatAnswer, ChatDelta, ChatRequest } from '../chat/chat.ts'

/** The protocols that models are spoken to in. */
export type ProviderDialectName = 'openai' | 'anthropic' | 'ollama'

/**
 * One configured provider. Methods may run concurrently. They make one attempt; who asks decides
 * about another. They reject with an `AegisError` whose details are `FaultDetails`, or with the
 * signal's reason.
 */
export interface Provider extends AsyncDisposable {
  readonly name: string
  readonly type: LlmProviderConfig['type']
  /** On this machine: nothing leaves it. */
  readonly local: boolean
  readonly models: readonly LlmModelConfig[]
  readonly embeds: boolean
  /** Resolves when the answer is whole, or its first piece is there. */
  chat(call: ProviderChat, signal: AbortSignal): Promise<ProviderReply>
  embed(call: ProviderEmbedding, signal: AbortSignal): Promise<EmbeddingReply>
}

export interface ProviderChat {
  /** The provider's own name of the model. */
  readonly model: string
  readonly request: ChatRequest
  /** What the agent sent, so that a provider of the same dialect gets just that. */
  readonly original?: OriginalRequest | undefined
}

export interface OriginalRequest {
  readonly dialect: ProviderDialectName
  /** Where it was sent to: the dialect's chat route, or Ollama's plain completion. */
  readonly operation: 'chat' | 'generate'
  readonly body: Readonly<Record<string, unknown>>
  /** Of the agent's headers those that belong to the dialect and hold no secret. */
  readonly headers: Readonly<Record<string, string>>
}

/** `bytes` are there when the agent speaks the provider's dialect: they are passed on unchanged. */
export type ProviderReply =
  | { readonly kind: 'whole'; readonly answer: ChatAnswer; readonly bytes?: Buffer | undefined }
  | { readonly kind: 'stream'; readonly batches: AsyncIterable<ReplyBatch> }

/** What arrived of a streamed answer at once. */
export interface ReplyBatch {
  readonly deltas: readonly ChatDelta[]
  readonly bytes?: Buffer | undefined
  /** Ends the answer: the agent must not see it before the call is recorded. */
  readonly last: boolean
}

export interface ProviderEmbedding {
  readonly model: string
  readonly inputs: readonly string[]
  readonly dimensions?: number | undefined
}

export interface EmbeddingReply {
  readonly vectors: readonly (readonly number[])[]
  /** As the provider counted; absent: it did not. */
  readonly promptTokens?: number | undefined
}
