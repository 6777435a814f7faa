import type { PullProgress } from '@aegis/core'

/** Passes on progress, but never more often than once in an interval; the last is never lost. */
export interface ProgressReporter extends Disposable {
  report(progress: PullProgress): void
}

export function makeProgressReporter(
  tell: (progress: PullProgress) => void,
  intervalMs: number,
): ProgressReporter {
  let waiting: PullProgress | undefined
  let timer: NodeJS.Timeout | undefined

  const next = (): void => {
    const progress = waiting
    waiting = undefined
    timer = progress === undefined ? undefined : setTimeout(next, intervalMs)
    if (progress !== undefined) tell(progress)
  }
  return {
    report(progress) {
      waiting = progress
      if (timer === undefined) next()
    },
    [Symbol.dispose]() {
      clearTimeout(timer)
      timer = undefined
      if (waiting !== undefined) tell(waiting)
      waiting = undefined
    },
  }
}
