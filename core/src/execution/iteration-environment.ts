import type { AgentManifest } from '../agent/agent-manifest.ts'
import { networkEnvironment } from '../egress/network-environment.ts'
import type { AgentId, ExecutionId } from '../kernel/ids.ts'
import type { IterationRecord } from './execution.ts'

/** The agent API as a sandbox sees it, on its own loopback. */
export const agentApiUrl = 'http://127.0.0.1:8000'

interface IterationEnvironment {
  readonly manifest: AgentManifest
  readonly agentId: AgentId
  readonly executionId: ExecutionId
  readonly iteration: number
  readonly history: readonly IterationRecord[]
  /** Variables that hold a placeholder. */
  readonly secrets: Readonly<Record<string, string>>
  readonly debug: boolean
}

/**
 * Linux limits one environment string to 128 KiB (MAX_ARG_STRLEN in execve(2)); what may be longer
 * is cut well below that.
 */
const maxValueCharacters = 24 * 1024

/**
 * The variables an agent's command starts with. No key is among them: clients of OpenAI, Anthropic
 * and Ollama find the gateway, which needs none; the two `*_API_KEY`s hold a word, since the
 * clients refuse to start without.
 */
export function iterationEnvironment(options: IterationEnvironment): Record<string, string> {
  const { manifest, agentId, executionId, iteration, history, secrets, debug } = options
  const { task, runtime, env } = manifest.spec
  return {
    LANG: 'C.UTF-8',
    HOME: '/workspace',
    TMPDIR: '/tmp',
    OPENAI_BASE_URL: `${agentApiUrl}/v1`,
    OPENAI_API_KEY: 'provided-by-aegis',
    ANTHROPIC_BASE_URL: agentApiUrl,
    ANTHROPIC_API_KEY: 'provided-by-aegis',
    OLLAMA_HOST: agentApiUrl,
    ...networkEnvironment(manifest),
    ...env,
    ...secrets,
    AEGIS_ORCHESTRATOR_URL: agentApiUrl,
    AEGIS_AGENT_ID: agentId,
    AEGIS_EXECUTION_ID: executionId,
    AEGIS_ITERATION: String(iteration),
    AEGIS_ITERATION_HISTORY: historyJson(history),
    AEGIS_MODEL: runtime.model,
    AEGIS_AGENT_INSTRUCTION: cut(task.instruction ?? manifest.metadata.description ?? ''),
    AEGIS_PROMPT_TEMPLATE: cut(task.prompt_template ?? ''),
    ...(debug ? { AEGIS_BOOTSTRAP_DEBUG: 'true' } : {}),
  }
}

/** Newest iterations first into the budget, oldest first in the result. */
function historyJson(history: readonly IterationRecord[]): string {
  const items: unknown[] = []
  let left = maxValueCharacters
  for (const record of history.toReversed()) {
    const item = {
      iteration: record.iteration,
      output: cut(record.output, 8 * 1024),
      error: record.failure?.cause,
      feedback: record.failure?.message,
      exit_code: record.failure?.exitCode,
    }
    left -= JSON.stringify(item).length
    if (left < 0) break
    items.unshift(item)
  }
  return JSON.stringify(items)
}

const cut = (text: string, limit = maxValueCharacters): string =>
  text.length > limit ? `${text.slice(0, limit)}…` : text
