import { startDeadline } from '../execution/deadline.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { statsInTime } from '../sandbox/stats-in-time.ts'
import { type ArrivalRate, arrivalRate, withArrival } from './arrival-rate.ts'
import type { PreparedSandbox } from './prepare-sandbox.ts'
import type { SandboxRecipe } from './sandbox-recipe.ts'

/** A sandbox that waits, or will when it has booted, on memory that was lent to it. */
export interface Place {
  readonly sinceMs: number
  readonly memoryBytes: number
  /** Ends it. */
  evict(): void
}

/** The sandboxes of one recipe that wait or boot ahead. */
export interface WarmShelf {
  readonly recipe: SandboxRecipe
  /** Oldest first. */
  readonly places: readonly Place[]
  readonly booting: number
  /** Whether one of them could be taken at once. */
  readonly ready: boolean
  /** How many to keep, whether or not anybody comes. */
  floor: number
  readonly bootMs: number
  readonly arrivals: ArrivalRate
  /** Not to be filled before, after a failure. Milliseconds on the monotonic clock. */
  readonly notBeforeMs: number
  /** Counts one that wanted a sandbox. */
  arrive(): void
  /** Boots one more. It holds `lease` until it is taken or gone. */
  fill(lease: Disposable): void
  /** Ends what is busy though it has nothing to do, as a hostile image can make it. */
  look(): void
  /** Takes the oldest that waits, or else the first that boots; what is dead is passed over. */
  take(signal: AbortSignal): Promise<PreparedSandbox | undefined>
}

interface Deps {
  /** Undefined when it cannot be booted ahead for now: its image is not on the host. */
  readonly prepare: (
    recipe: SandboxRecipe,
    signal: AbortSignal,
  ) => Promise<PreparedSandbox | undefined>
  readonly windowMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** A boot ended, or a sandbox that waited did. */
  readonly onChange: () => void
  /** A place is given up; its memory is free when `gone` resolves. */
  readonly onLeave: (place: Place, gone: Promise<void>) => void
}

const firstPauseMs = 1000
const maxPauseMs = 60_000

/** What has waited so long was of use, so that its end is the first failure again. */
const steadyMs = 60_000

/** Between two looks whether an image is on the host by now. */
const imagePauseMs = 10_000

/** Nobody waits for a boot ahead, so that one which hangs has to be given up. */
const bootTimeoutMs = 60_000

/** Cpu time that one may use while it waits; hardly any is needed. */
const maxWaitingCpuMs = 5000

const never = new AbortController().signal

/** Until the first boot has shown how long one takes. */
const assumedBootMs = 100

/** One place, and what the shelf alone may know of it. */
interface OwnPlace extends Place {
  readonly lease: Disposable
  readonly boot: AbortController
  /** Undefined when it failed. */
  readonly ready: Promise<PreparedSandbox | undefined>
  prepared: PreparedSandbox | undefined
  /** What it had used when it began to wait. */
  cpuBeforeMs: number | undefined
}

export function makeWarmShelf(deps: Deps, recipe: SandboxRecipe): WarmShelf {
  const { prepare, windowMs, clock, logger, onChange, onLeave } = deps
  const places: OwnPlace[] = []
  let bootMs = assumedBootMs
  let timesMs: readonly number[] = []
  let failures = 0
  let notBeforeMs = 0
  let complaint: string | undefined

  /** False when it was taken or evicted before. */
  const remove = (place: OwnPlace): boolean => {
    const index = places.indexOf(place)
    if (index >= 0) places.splice(index, 1)
    return index >= 0
  }

  const succeeded = (): void => {
    failures = 0
    complaint = undefined
  }

  /** The next try waits longer each time, and the log hears of it once, until one was of use. */
  const backOff = (reason: string, waitedMs = 0): void => {
    const nowMs = clock.monotonicMs()
    // What ends within the pause may have ended of the same: it is no failure of another try.
    if (nowMs < notBeforeMs) return
    if (waitedMs >= steadyMs) succeeded()
    notBeforeMs = nowMs + Math.min(firstPauseMs * 2 ** failures, maxPauseMs)
    failures += 1
    if (reason === complaint) return
    complaint = reason
    const { agentId, agentRevision, runtime } = recipe
    const about = { agentId, agentRevision, isolation: runtime.isolation, reason }
    logger.warn(about, 'a warm sandbox failed')
  }

  const evict = (place: OwnPlace, because?: string): void => {
    if (!remove(place)) return
    place.boot.abort()
    const leave = async (): Promise<void> => {
      await (await place.ready)?.destroy(because)
      place.lease[Symbol.dispose]()
    }
    onLeave(place, leave())
  }

  const lookAt = async (place: OwnPlace, { sandbox }: PreparedSandbox): Promise<void> => {
    const stats = await statsInTime(clock, sandbox, never)
    if (stats === undefined || !places.includes(place)) return
    place.cpuBeforeMs ??= stats.cpuMs
    if (stats.cpuMs - place.cpuBeforeMs <= maxWaitingCpuMs) return
    const reason = `It used more than ${maxWaitingCpuMs / 1000} s of cpu while it waited.`
    backOff(reason)
    evict(place, reason)
    onChange()
  }

  const settle = async (place: OwnPlace): Promise<void> => {
    const prepared = await place.ready
    if (prepared !== undefined && places.includes(place)) {
      bootMs = prepared.bootMs
      place.prepared = prepared
      prepared.wait()
      const readyMs = clock.monotonicMs()
      void prepared.died.then((reason) => {
        if (!places.includes(place)) return
        backOff(reason, clock.monotonicMs() - readyMs)
        evict(place, reason)
        onChange()
      })
      void lookAt(place, prepared)
    } else if (remove(place)) {
      place.lease[Symbol.dispose]()
    }
    onChange()
  }

  const boot = async (starting: AbortController): Promise<PreparedSandbox | undefined> => {
    const { signal } = starting
    const late = new Error(`It took longer than ${bootTimeoutMs / 1000} s to boot.`)
    using _deadline = startDeadline(clock, bootTimeoutMs, () => starting.abort(late))
    try {
      const prepared = await prepare(recipe, signal)
      if (prepared === undefined) notBeforeMs = clock.monotonicMs() + imagePauseMs
      return prepared
    } catch (error) {
      const failure = signal.reason === late ? late : error
      if (failure === late || !signal.aborted) {
        backOff(failure instanceof Error ? failure.message : String(failure))
      }
      return undefined
    }
  }

  return {
    recipe,
    places,
    floor: 0,
    get booting() {
      return places.filter(({ prepared }) => prepared === undefined).length
    },
    get ready() {
      return places.some(({ prepared }) => prepared?.alive === true)
    },
    get bootMs() {
      return bootMs
    },
    get arrivals() {
      return arrivalRate(timesMs, clock.monotonicMs(), windowMs)
    },
    get notBeforeMs() {
      return notBeforeMs
    },
    arrive() {
      timesMs = withArrival(timesMs, clock.monotonicMs())
    },
    fill(lease) {
      const starting = new AbortController()
      const place: OwnPlace = {
        sinceMs: clock.monotonicMs(),
        memoryBytes: recipe.limits.memoryBytes,
        lease,
        boot: starting,
        ready: boot(starting),
        prepared: undefined,
        cpuBeforeMs: undefined,
        evict: () => evict(place),
      }
      places.push(place)
      void settle(place)
    },
    look() {
      for (const place of places) {
        if (place.prepared !== undefined) void lookAt(place, place.prepared)
      }
    },
    async take(signal) {
      for (;;) {
        const place = places.find(({ prepared }) => prepared !== undefined) ?? places[0]
        if (place === undefined) return undefined
        if (place.prepared?.alive === false) {
          evict(place, 'It had ended by the time it was needed.')
          continue
        }
        remove(place)
        place.lease[Symbol.dispose]()
        const prepared = place.prepared ?? (await waitedFor(place, signal))
        if (prepared !== undefined) {
          succeeded()
          return prepared
        }
        signal.throwIfAborted()
      }
    },
  }
}

/** A boot that somebody waits for is given up with them. */
async function waitedFor(
  { boot, ready }: OwnPlace,
  signal: AbortSignal,
): Promise<PreparedSandbox | undefined> {
  const abandon = (): void => boot.abort()
  signal.addEventListener('abort', abandon, { once: true })
  try {
    return await ready
  } finally {
    signal.removeEventListener('abort', abandon)
  }
}
