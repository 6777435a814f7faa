import type { SandboxControl } from '../control-plane.ts'
import type { Clock } from '../kernel/clock.ts'
import type { AgentId, ExecutionId, SandboxId } from '../kernel/ids.ts'
import type { LimitCause, Sandbox } from './sandbox.ts'
import type { SandboxCounts, SandboxEvent, SandboxStatus } from './sandbox-event.ts'
import type { ResidentFigures, SandboxFigures, SandboxMoment } from './sandbox-figures.ts'
import type { Isolation, SandboxLimits } from './sandbox-spec.ts'
import { statsInTime } from './stats-in-time.ts'

/** Every sandbox of the node and the state it is in. */
export interface LiveSandboxes extends SandboxControl {
  /** A sandbox begins to boot. */
  enter(about: SandboxAbout): LiveSandbox
  /** Its program has said its first word, so long after the sandbox had its task. */
  spoke(id: SandboxId, afterMs: number): void
  readonly counts: SandboxCounts
  readonly figures: SandboxFigures
}

export interface SandboxAbout {
  readonly id: SandboxId
  readonly isolation: Isolation
  readonly agentId: AgentId
  readonly agentName: string
  readonly limits: SandboxLimits
}

/** The way of one sandbox: cold, perhaps warm, perhaps hot, then gone. */
export interface LiveSandbox {
  /** It has booted, and waits for a task. */
  warm(sandbox: Sandbox): void
  /** It runs this execution. `restored`: it came out of a snapshot. */
  hot(sandbox: Sandbox, executionId: ExecutionId, restored?: boolean): void
  /** It was disposed in good order, or given up while it booted. */
  terminated(): void
  failed(reason: string, cause?: LimitCause): void
}

/** Events a slow listener may have outstanding; it then loses the oldest. */
const maxOutstanding = 10_000

type Entry = { -readonly [Key in keyof SandboxStatus]: SandboxStatus[Key] } & { sandbox?: Sandbox }

export function makeLiveSandboxes(clock: Clock): LiveSandboxes {
  const live = new Map<SandboxId, Entry>()
  const listeners = new Set<(event: SandboxEvent) => void>()
  const momentListeners = new Set<(moment: SandboxMoment) => void>()
  const totals = { terminated: 0, failed: 0, warmStarts: 0, restoredStarts: 0, coldStarts: 0 }
  const count = (state: Entry['state']) =>
    [...live.values()].filter((entry) => entry.state === state).length
  const tellMoment = (moment: SandboxMoment): void => {
    for (const listener of momentListeners) listener(moment)
  }

  return {
    enter({ id, isolation, agentId, agentName, limits }) {
      const { cpuMillicores, memoryBytes } = limits
      const about = { sandboxId: id, isolation, agentId, agentName }
      const entry: Entry = {
        id,
        isolation,
        agentId,
        agentName,
        state: 'cold',
        since: clock.now(),
        limits: { cpuMillicores, memoryBytes },
      }
      live.set(id, entry)
      const tell = (event: Pick<SandboxEvent, 'type' | 'reason' | 'cause'>): void => {
        const { executionId } = entry
        const at = clock.now()
        for (const listener of listeners) listener({ ...about, executionId, ...event, at })
      }
      const become = (state: 'warm' | 'hot', sandbox: Sandbox): void => {
        // It ended on its own a moment ago.
        if (!live.has(id)) return
        if (entry.sandbox === undefined)
          tellMoment({ kind: 'booted', isolation, phases: sandbox.bootPhases })
        Object.assign(entry, { state, sandbox, since: clock.now() })
        tell({ type: `sandbox.${state}` })
      }
      const leave = (event: Parameters<typeof tell>[0]): void => {
        // Whoever ends it second has nothing to add.
        if (!live.delete(id)) return
        totals[event.type === 'sandbox.failed' ? 'failed' : 'terminated'] += 1
        tell(event)
      }
      tell({ type: 'sandbox.cold' })
      return {
        warm: (sandbox) => become('warm', sandbox),
        hot(sandbox, executionId, restored = false) {
          const own = restored ? 'restoredStarts' : 'coldStarts'
          totals[entry.state === 'warm' ? 'warmStarts' : own] += 1
          entry.executionId = executionId
          become('hot', sandbox)
        },
        terminated: () => leave({ type: 'sandbox.terminated' }),
        failed: (reason, cause) => leave({ type: 'sandbox.failed', reason, cause }),
      }
    },

    spoke(id, afterMs) {
      const entry = live.get(id)
      if (entry === undefined) return
      tellMoment({ kind: 'spoke', isolation: entry.isolation, afterMs })
    },

    figures: {
      onMoment(listener) {
        momentListeners.add(listener)
        return { [Symbol.dispose]: () => void momentListeners.delete(listener) }
      },
      resident: () => residentOf([...live.values()]),
    },

    get counts() {
      return { cold: count('cold'), warm: count('warm'), hot: count('hot'), ...totals }
    },

    list: (signal) =>
      Promise.all(
        [...live.values()].map(async ({ sandbox, ...status }) => {
          const stats = sandbox && (await statsInTime(clock, sandbox, signal))
          const monitor = sandbox?.monitor
          return { ...status, ...(monitor && { monitor }), ...(stats && { stats }) }
        }),
      ),

    events(signal) {
      let outstanding: SandboxEvent[] = []
      let wake: () => void = () => undefined
      const listener = (event: SandboxEvent): void => {
        outstanding.push(event)
        if (outstanding.length > maxOutstanding) outstanding.shift()
        wake()
      }
      const stop = (): void => {
        listeners.delete(listener)
        wake()
      }
      const take = async function* (): AsyncGenerator<SandboxEvent> {
        try {
          while (!signal.aborted) {
            const news = new Promise<void>((resolve) => {
              wake = resolve
            })
            const batch = outstanding
            outstanding = []
            if (batch.length === 0) await news
            yield* batch
          }
        } finally {
          listeners.delete(listener)
          signal.removeEventListener('abort', stop)
        }
      }
      // Before the first event is asked for: none may be lost in between.
      if (!signal.aborted) {
        listeners.add(listener)
        signal.addEventListener('abort', stop, { once: true })
      }
      return take()
    },
  }
}

async function residentOf(entries: readonly Entry[]): Promise<readonly ResidentFigures[]> {
  const sizes = entries.map(async ({ isolation, sandbox }) => {
    const bytes = await sandbox?.residentBytes?.()
    return { isolation, bytes }
  })
  const figures = new Map<Isolation, ResidentFigures>()
  for (const { isolation, bytes } of await Promise.all(sizes)) {
    if (bytes === undefined) continue
    const before = figures.get(isolation)
    figures.set(isolation, {
      isolation,
      bytes: bytes + (before?.bytes ?? 0),
      largestBytes: Math.max(bytes, before?.largestBytes ?? 0),
    })
  }
  return [...figures.values()]
}
