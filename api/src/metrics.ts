import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ControlPlane, NodeStatus, SandboxCounts, SandboxFigures } from '@aegis/core'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { measureSandboxes } from './sandbox-metrics.ts'

/** Something else of the node that can be measured; a Registry of prom-client is one. */
export interface MetricsSource {
  /** Prometheus text format. */
  metrics(): Promise<string>
}

export interface ApiMetrics extends Disposable {
  observe(request: {
    readonly method: string
    readonly route: string
    readonly status: number
    readonly seconds: number
  }): void
  /** All of it, ours and that of the other sources. */
  text(): Promise<string>
  readonly contentType: string
}

interface Deps {
  readonly node: ControlPlane['node']
  readonly figures: SandboxFigures
  readonly sources: readonly MetricsSource[]
  readonly openStreams: () => number
}

export function makeApiMetrics({ node, figures, sources, openStreams }: Deps): ApiMetrics {
  const registry = new Registry()
  const registers = [registry]
  const durations = new Histogram({
    name: 'aegis_http_request_duration_seconds',
    help: 'Time to answer a request; event streams are left out',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  })
  const executions = new Gauge({
    name: 'aegis_executions',
    help: 'Executions by status',
    labelNames: ['status'],
    registers,
  })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const queue = gauge('aegis_queue_depth', 'Executions that wait for resources or for their agent')
  const uptime = gauge('aegis_uptime_seconds', 'Since the node started')
  const cpu = gauge('aegis_capacity_cpu_millicores', 'What sandboxes may use together')
  const freeCpu = gauge('aegis_free_cpu_millicores', 'What sandboxes do not use')
  const memory = gauge('aegis_capacity_memory_bytes', 'What sandboxes may use together')
  const freeMemory = gauge('aegis_free_memory_bytes', 'What sandboxes do not use')
  const sandboxes = new Gauge({
    name: 'aegis_sandboxes',
    help: 'Sandboxes by state',
    labelNames: ['state'],
    registers,
  })
  const terminated = new Counter({
    name: 'aegis_sandboxes_terminated_total',
    help: 'Sandboxes that ended in good order',
    registers,
  })
  const failed = new Counter({
    name: 'aegis_sandboxes_failed_total',
    help: 'Sandboxes that something else than their owner ended',
    registers,
  })
  const starts = new Counter({
    name: 'aegis_sandbox_starts_total',
    help: 'Sandboxes that were given a task, by whether one was waiting',
    labelNames: ['start'],
    registers,
  })
  const streams = gauge('aegis_http_event_streams', 'Event streams that are open')
  const resident = gauge('process_resident_memory_bytes', 'Memory of the daemon itself')
  const heap = gauge('nodejs_heap_size_used_bytes', 'JavaScript heap of the daemon')
  const cpuSeconds = gauge('process_cpu_seconds_total', 'CPU time of the daemon')
  const lag = gauge('nodejs_eventloop_lag_p99_seconds', 'Delay of the event loop since last asked')
  const delays = monitorEventLoopDelay({ resolution: 20 })
  delays.enable()
  const measured = measureSandboxes(figures, registers)

  function setNode(status: NodeStatus): void {
    for (const [name, count] of Object.entries(status.executions)) {
      executions.set({ status: name }, count)
    }
    queue.set(status.executions.queued + status.executions.pending)
    uptime.set(status.uptimeSeconds)
    cpu.set(status.capacity.cpuMillicores)
    freeCpu.set(status.capacity.freeCpuMillicores)
    memory.set(status.capacity.memoryBytes)
    freeMemory.set(status.capacity.freeMemoryBytes)
    setSandboxes(status.sandboxes)
  }

  function setSandboxes(counts: SandboxCounts): void {
    sandboxes.set({ state: 'cold' }, counts.cold)
    sandboxes.set({ state: 'warm' }, counts.warm)
    sandboxes.set({ state: 'hot' }, counts.hot)
    // The node counts; these only show its counts.
    for (const counter of [terminated, failed, starts]) counter.reset()
    terminated.inc(counts.terminated)
    failed.inc(counts.failed)
    starts.inc({ start: 'warm' }, counts.warmStarts)
    starts.inc({ start: 'restored' }, counts.restoredStarts)
    starts.inc({ start: 'cold' }, counts.coldStarts)
  }

  function setProcess(): void {
    const { rss, heapUsed } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    resident.set(rss)
    heap.set(heapUsed)
    cpuSeconds.set((user + system) / 1e6)
    lag.set(delays.count === 0 ? 0 : delays.percentile(99) / 1e9)
    delays.reset()
  }

  return {
    observe: ({ method, route, status, seconds }) =>
      durations.observe({ method, route, status }, seconds),
    async text() {
      setNode(await node.status())
      setProcess()
      await measured.refresh()
      streams.set(openStreams())
      const parts = [registry, ...sources].map((source) => source.metrics())
      return (await Promise.all(parts)).join('\n')
    },
    contentType: registry.contentType,
    [Symbol.dispose]() {
      measured[Symbol.dispose]()
      delays.disable()
      registry.clear()
    },
  }
}
