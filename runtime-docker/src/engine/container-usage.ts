import * as z from 'zod'
import type { EngineClient } from './engine-client.ts'

/** What the kernel of the engine's host counted for a container. */
export interface ContainerUsage {
  readonly cpuMs: number
  readonly memoryBytes: number
  /** Undefined where the kernel keeps none. */
  readonly memoryPeakBytes: number | undefined
}

const count = z.number().nonnegative()
const answer = z.object({
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: count }) }),
  memory_stats: z.object({ usage: count.optional(), max_usage: count.optional() }),
})

/** Undefined when the engine counts nothing, or no longer. */
export async function readContainerUsage(
  client: EngineClient,
  name: string,
  signal: AbortSignal,
): Promise<ContainerUsage | undefined> {
  const path = `/containers/${name}/stats`
  const query = { stream: 'false', 'one-shot': 'true' }
  const said = await client.call(answer, { method: 'GET', path, query }, signal).catch(() => {
    signal.throwIfAborted()
    return undefined
  })
  const { usage, max_usage: peak } = said?.memory_stats ?? {}
  if (said === undefined || usage === undefined || usage === 0) return undefined
  const cpuMs = said.cpu_stats.cpu_usage.total_usage / 1_000_000
  return { cpuMs, memoryBytes: usage, memoryPeakBytes: peak }
}
