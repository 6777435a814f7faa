import type { ChatRequest } from '../chat/chat.ts'
import { llmFault } from '../llm-fault.ts'

/**
 * Refuses what only a provider of the agent's own dialect can be given.
 * @throws AegisError `unsupported` / `llm.unsupported` naming it
 */
export function requireTranslatable({ messages, choices = 1 }: ChatRequest): void {
  if (choices > 1) throw unsupported(`${choices} choices (n)`)
  for (const message of messages) {
    if (message.role !== 'user') continue
    for (const part of message.parts) {
      if (part.type === 'other') throw unsupported(`content of type "${part.name.slice(0, 40)}"`)
    }
  }
}

const unsupported = (what: string) =>
  llmFault(
    'unsupported',
    'llm.unsupported',
    `The provider of this model speaks another protocol than the agent, one without ${what}. ` +
      'Leave it out, or name a model whose provider speaks the protocol of this route.',
  )
