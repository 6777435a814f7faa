import { PlaceholderLeak } from '../inspect/placeholder-scanner.ts'
import { secretWatchOf } from '../inspect/secret-watch.ts'
import type { AgentRequest } from './agent-request.ts'
import { parseJson, readBytes, standardBounds } from './read-body.ts'

/**
 * The JSON of a request for a model. One with a placeholder of a secret in it is refused, and that is
 * recorded: a provider of models has no use for it, and an agent that sends it was probably talked
 * into it.
 * @throws AegisError as `readBody` · `denied` / `secret.leaked`
 */
export async function readPrompt(
  agent: Pick<AgentRequest, 'incoming' | 'identity' | 'deny'>,
): Promise<unknown> {
  const bytes = await readBytes(agent.incoming, standardBounds)
  const leaked = secretWatchOf(agent.identity)?.scanner.find(bytes)
  if (leaked !== undefined) {
    const { code, message: reason } = new PlaceholderLeak(leaked)
    agent.deny({ action: 'secret.use', subject: `${leaked.name} -> model`, reason, code })
    throw new PlaceholderLeak(leaked)
  }
  return parseJson(bytes, standardBounds.maxDepth)
}
