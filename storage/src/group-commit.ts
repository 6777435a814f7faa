import type { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers'

export interface GroupCommit<T> {
  /**
   * Runs `work` in the next shared transaction and resolves with its result once that is durable.
   * Work that throws is undone alone; its neighbours are not disturbed. When the commit itself
   * fails, nothing of the transaction was stored and all of its work rejects.
   */
  submit(work: () => T): Promise<T>
  /** Commits what waits, now. */
  flush(): void
}

export interface GroupCommitSteps<T> {
  /** The last step of each transaction, with the results of the work that succeeded, in order. */
  readonly seal?: (results: readonly T[]) => void
  /** Gets the same results after each commit, in order, before anybody else hears of them. */
  readonly committed: (results: readonly T[]) => void
  /** A transaction failed as a whole: nothing of it was stored. */
  readonly abandoned?: () => void
}

/** How many pieces of work one transaction takes: bounds how long the event loop stands still. */
const largestGroup = 512

/**
 * One transaction and one fsync for all that is asked for in the same turn of the event loop. Since
 * a commit costs an fsync and a piece of work some microseconds, this decides the throughput.
 */
export function makeGroupCommit<T>(
  database: DatabaseSync,
  { seal, committed, abandoned }: GroupCommitSteps<T>,
): GroupCommit<T> {
  const begin = database.prepare('begin immediate')
  const commit = database.prepare('commit')
  const savepoint = database.prepare('savepoint work')
  const release = database.prepare('release work')
  const undo = database.prepare('rollback to work')
  const waiting: Waiting<T>[] = []
  let scheduled = false

  const attempt = (work: () => T): Outcome<T> => {
    savepoint.run()
    try {
      const value = work()
      release.run()
      return { value }
    } catch (error) {
      // A full disk, for one, makes SQLite roll all of it back; then the whole group has failed.
      if (!database.isTransaction) throw error
      undo.run()
      release.run()
      return { error }
    }
  }

  const commitGroup = (group: readonly Waiting<T>[]): void => {
    let outcomes: readonly Outcome<T>[]
    try {
      begin.run()
      outcomes = group.map(({ work }) => attempt(work))
      seal?.(valuesOf(outcomes))
      commit.run()
    } catch (error) {
      if (database.isOpen && database.isTransaction) database.exec('rollback')
      abandoned?.()
      for (const { reject } of group) reject(error)
      return
    }
    committed(valuesOf(outcomes))
    outcomes.forEach((outcome, index) => {
      if ('value' in outcome) group[index]?.resolve(outcome.value)
      else group[index]?.reject(outcome.error)
    })
  }

  const flush = (): void => {
    while (waiting.length > 0) commitGroup(waiting.splice(0, largestGroup))
  }

  const turn = (): void => {
    if (waiting.length > 0) commitGroup(waiting.splice(0, largestGroup))
    scheduled = waiting.length > 0
    if (scheduled) setImmediate(turn)
  }

  return {
    submit: (work) =>
      new Promise((resolve, reject) => {
        waiting.push({ work, resolve, reject })
        if (scheduled) return
        scheduled = true
        setImmediate(turn)
      }),
    flush,
  }
}

interface Waiting<T> {
  readonly work: () => T
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown }

const valuesOf = <T>(outcomes: readonly Outcome<T>[]): readonly T[] =>
  outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []))
