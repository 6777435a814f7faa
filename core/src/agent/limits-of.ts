import type { ExecutionLimits } from '../execution/run-execution.ts'
import { parseDuration } from '../kernel/duration.ts'
import { parseSize } from '../kernel/size.ts'
import type { NodeConfig } from '../node/node-config.ts'
import type { AgentManifest } from './agent-manifest.ts'

const defaultOutputLimit = '16Mi'

/** What an execution of this agent may use, in numbers; `config` limits what it may print. */
export function limitsOf(manifest: AgentManifest, config?: NodeConfig): ExecutionLimits {
  const { cpu, memory, disk, pids, gpu, timeout } = manifest.spec.security.resources
  const { timeout_per_iteration: iterationSeconds } = manifest.spec.execution
  const timeoutMs = parseDuration(timeout)
  return {
    cpuMillicores: cpu,
    memoryBytes: parseSize(memory),
    diskBytes: parseSize(disk),
    pids,
    ...(gpu === 0 ? {} : { gpus: gpu }),
    outputBytes: parseSize(config?.spec.runtime.output_limit ?? defaultOutputLimit),
    timeoutMs,
    iterationTimeoutMs:
      iterationSeconds === undefined ? timeoutMs : Math.min(timeoutMs, iterationSeconds * 1000),
  }
}
