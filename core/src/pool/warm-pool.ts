import type { Scheduler, WarmLodgers } from '../execution/scheduler.ts'
import type { Clock } from '../kernel/clock.ts'
import type { AgentId } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import { poolSize } from './pool-size.ts'
import type { PreparedSandbox } from './prepare-sandbox.ts'
import { lendsHostPaths, recipeKey, type SandboxRecipe } from './sandbox-recipe.ts'
import { makeWarmShelf, type Place, type WarmShelf } from './warm-shelf.ts'

/**
 * Sandboxes that were booted ahead and wait for a task. Each is handed out once. They wait on
 * memory that nothing else needs, and give it back as soon as something does.
 */
export interface WarmPool extends WarmLodgers, AsyncDisposable {
  /**
   * Takes a sandbox for a task that begins now, or one that boots already; undefined when there is
   * none, and its own is to be booted.
   */
  claim(recipe: SandboxRecipe, signal: AbortSignal): Promise<PreparedSandbox | undefined>
  /** Whether a claim would find one that waits already. */
  holds(recipe: SandboxRecipe): boolean
  /** This revision of an agent is in use from now on, and `floor` of its sandboxes are kept. */
  welcome(agentId: AgentId, revision: number, floor?: PoolFloor): void
  /** The agent is paused or gone: nothing is kept for it. */
  dismiss(agentId: AgentId): void
}

export interface PoolFloor {
  readonly recipe: SandboxRecipe
  readonly size: number
}

interface Deps {
  readonly prepare: Parameters<typeof makeWarmShelf>[0]['prepare']
  /** One that boots ahead makes the snapshot which is missing. */
  readonly lacksSnapshot: (recipe: SandboxRecipe) => boolean
  /** Whoever lends the memory. */
  readonly room: Pick<Scheduler, 'lend' | 'free' | 'overdrawnBytes'>
  /** How long one waits beyond its agent's floor, and for how long arrivals count. */
  readonly idleMs: number
  /** All agents together. */
  readonly maxSize: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Longest pause before one that was taken is replaced, so that the task which took it goes first. */
const settleMs = 150

/** Looks for idle and for busy ones in the time after which one is. */
const looksPerIdleTime = 4

/** What waits longer is replaced: the host it was booted on may have changed since. */
const maxAgeMs = 3_600_000

/** One that waits would keep a lent path as it was, whatever the host has put there since. */
const mayWait = ({ manifest }: SandboxRecipe): boolean => !lendsHostPaths(manifest)

export function makeWarmPool({ room, idleMs, maxSize, ...deps }: Deps): WarmPool {
  const { clock } = deps
  const revisions = new Map<AgentId, number>()
  const shelves = new Map<string, WarmShelf>()
  const leaving = new Map<Place, Promise<void>>()
  let alarm: { readonly atMs: number; readonly cancel: AbortController } | undefined
  let lookedMs = clock.monotonicMs()
  let closed = false

  const shelfOf = (recipe: SandboxRecipe): WarmShelf => {
    const key = recipeKey(recipe)
    const found = shelves.get(key)
    if (found !== undefined) return found
    const onLeave = (place: Place, gone: Promise<void>): void => {
      leaving.set(place, gone)
      void gone.then(() => {
        leaving.delete(place)
        balance()
      })
    }
    const shelf = makeWarmShelf({ ...deps, windowMs: idleMs, onChange: balance, onLeave }, recipe)
    shelves.set(key, shelf)
    return shelf
  }

  const places = (): readonly Place[] => [...shelves.values()].flatMap((shelf) => shelf.places)

  const empty = (unwanted: (shelf: WarmShelf) => boolean): void => {
    for (const [key, shelf] of shelves) {
      if (!unwanted(shelf)) continue
      shelves.delete(key)
      for (const place of [...shelf.places]) place.evict()
    }
  }

  const balanceAt = (atMs: number): void => {
    if (closed || (alarm !== undefined && alarm.atMs <= atMs)) return
    alarm?.cancel.abort()
    const cancel = new AbortController()
    const set = { atMs, cancel }
    alarm = set
    clock.sleep(Math.max(0, atMs - clock.monotonicMs()), cancel.signal).then(
      () => {
        if (alarm === set) alarm = undefined
        balance()
      },
      () => undefined,
    )
  }

  /** Boots what is missing, as far as there is room. */
  const fill = (shelf: WarmShelf, target: number, nowMs: number): void => {
    if (shelf.places.length < target && nowMs < shelf.notBeforeMs) balanceAt(shelf.notBeforeMs)
    while (shelf.places.length < target && nowMs >= shelf.notBeforeMs && mayBoot()) {
      const lease = room.lend(shelf.recipe.limits.memoryBytes)
      if (lease === undefined) return
      shelf.fill(lease)
    }
  }

  const mayBoot = (): boolean => {
    const booting = [...shelves.values()].reduce((sum, shelf) => sum + shelf.booting, 0)
    // One to a core that is free: more would only make each other slow.
    const atOnce = Math.max(1, Math.floor(room.free.cpuMillicores / 1000))
    return booting < atOnce && places().length + leaving.size < maxSize
  }

  /** Ends what waits beyond the target for too long, and what is too old, one at a time. */
  const thin = ({ places, booting }: WarmShelf, target: number, nowMs: number): void => {
    const idle = places.filter(({ sinceMs }) => nowMs - sinceMs >= idleMs)
    for (const place of idle.slice(0, Math.max(0, places.length - target))) place.evict()
    const [oldest] = places
    if (booting > 0 || oldest === undefined || nowMs - oldest.sinceMs < maxAgeMs) return
    oldest.evict()
  }

  function balance(): void {
    if (closed) return
    const nowMs = clock.monotonicMs()
    const lookAgainMs = idleMs / looksPerIdleTime
    const looks = nowMs - lookedMs >= lookAgainMs
    if (looks) lookedMs = nowMs
    for (const [key, shelf] of shelves) {
      if (looks) shelf.look()
      const { arrivals, bootMs, floor } = shelf
      const isInUse = arrivals.count > 0
      const least = isInUse && deps.lacksSnapshot(shelf.recipe) ? Math.max(1, floor) : floor
      const target = poolSize({ floor: least, arrivals, bootMs: settleMs + bootMs, cap: maxSize })
      thin(shelf, target, nowMs)
      fill(shelf, target, nowMs)
      if (shelf.places.length + arrivals.count + floor === 0) shelves.delete(key)
    }
    if (shelves.size > 0) balanceAt(nowMs + lookAgainMs)
  }

  const makeRoom = async (bytes: number, agentId: AgentId): Promise<void> => {
    let found = [...leaving.keys()].reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
    const others = [...shelves.values()].filter(({ recipe }) => recipe.agentId !== agentId)
    const own = [...shelves.values()].filter(({ recipe }) => recipe.agentId === agentId)
    for (const place of [...others, ...own].flatMap((shelf) => [...shelf.places])) {
      if (found >= bytes) break
      found += place.memoryBytes
      place.evict()
    }
    await Promise.all(leaving.values())
  }

  return {
    async claim(recipe, signal) {
      const { agentId, agentRevision } = recipe
      if (!closed && revisions.get(agentId) === agentRevision && mayWait(recipe)) {
        const shelf = shelfOf(recipe)
        shelf.arrive()
        balanceAt(clock.monotonicMs() + settleMs)
        const taken = await shelf.take(signal)
        if (taken !== undefined) return taken
      }
      // It was started on the memory of sandboxes that are of no use to it: they make room first.
      if (room.overdrawnBytes > 0) await makeRoom(room.overdrawnBytes, agentId)
      return undefined
    },
    holds: (recipe) => shelves.get(recipeKey(recipe))?.ready ?? false,
    memoryOf: (agentId) =>
      [...shelves.values()]
        .filter(({ recipe }) => recipe.agentId === agentId)
        .flatMap((shelf) => [...shelf.places])
        .reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    makeRoom,
    balance,
    welcome(agentId, revision, floor) {
      revisions.set(agentId, revision)
      empty(({ recipe }) => recipe.agentId === agentId && recipe.agentRevision !== revision)
      if (floor === undefined || !mayWait(floor.recipe)) return
      shelfOf(floor.recipe).floor = floor.size
      balance()
    },
    dismiss(agentId) {
      revisions.delete(agentId)
      empty(({ recipe }) => recipe.agentId === agentId)
    },
    async [Symbol.asyncDispose]() {
      closed = true
      alarm?.cancel.abort()
      empty(() => true)
      await Promise.all(leaving.values())
    },
  }
}
