/** One thing the scripted provider knows to answer. */
export interface ScriptedRule {
  /** What `text`, the last message, gives; `undefined`: the rule does not apply. */
  match(text: string, model: string): ScriptedReply | undefined
}

export type ScriptedReply =
  | { readonly type: 'text'; readonly text: string; readonly pace: ScriptedPace }
  | {
      readonly type: 'tool-calls'
      readonly calls: readonly { readonly name: string; readonly arguments: unknown }[]
      readonly pace: ScriptedPace
    }
  | {
      readonly type: 'error'
      readonly status: number
      readonly message: string
      readonly retryAfterMs?: number | undefined
      readonly pace: ScriptedPace
    }

export interface ScriptedPace {
  /** Before the answer begins. */
  readonly delayMs: number
  /** Characters of one streamed piece; 0: a word at a time. */
  readonly chunkChars: number
  /** Between two pieces of a stream. */
  readonly chunkDelayMs: number
}

export const promptly: ScriptedPace = { delayMs: 0, chunkChars: 0, chunkDelayMs: 0 }
