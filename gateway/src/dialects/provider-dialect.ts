import type { Secret } from '@aegis/core'
import type { ChatAnswer, ChatDelta } from '../chat/chat.ts'
import type {
  EmbeddingReply,
  ProviderChat,
  ProviderDialectName,
  ProviderEmbedding,
} from '../providers/provider.ts'

/** How one protocol's providers are asked, and how they answer. */
export interface ProviderDialect {
  readonly name: ProviderDialectName
  readonly framing: 'sse' | 'lines'
  headers(key: Secret | undefined): Readonly<Record<string, string>>
  /** @throws AegisError `unsupported` for what the protocol cannot say */
  chatRequest(call: ProviderChat): UpstreamRequest
  /** @throws AegisError `unavailable` / `llm.protocol` */
  readAnswer(body: unknown): ChatAnswer
  makeFrameReader(call: ProviderChat): FrameReader
  /** Absent: the protocol has no embeddings. */
  readonly embedding?: {
    request(call: ProviderEmbedding): UpstreamRequest
    read(body: unknown): EmbeddingReply
  }
}

export interface UpstreamRequest {
  /** After the provider's endpoint. */
  readonly path: string
  readonly body: unknown
}

/** Reads one stream, frame after frame. */
export interface FrameReader {
  /**
   * Adds what the frame says to `deltas`.
   * @throws AegisError what the provider reports in the stream, or `llm.protocol`
   */
  read(data: string, deltas: ChatDelta[]): FrameVerdict
  /** Frame that ends a stream whose provider left it out, where the protocol has one. */
  readonly terminator?: string
}

export type FrameVerdict =
  | 'more'
  | 'hidden' // Asked for by the gateway, not by the agent.
  | 'stop' // The answer is complete; only accounts may follow.
  | 'end' // The last frame.
