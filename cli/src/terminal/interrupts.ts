/** Ctrl-C, counted. While nobody listens, it ends the program as usual. */
export interface Interrupts {
  /** Calls `onInterrupt` with 1, 2, 3 … until disposed. */
  listen(onInterrupt: (count: number) => void): Disposable
}

// npm and the launcher pass a signal on that the terminal has sent to the whole group already, so
// that one keystroke arrives two or three times within milliseconds.
const sameKeystrokeMs = 150

export function makeInterrupts(
  process: Pick<NodeJS.Process, 'on' | 'off'>,
  monotonicMs: () => number = () => performance.now(),
): Interrupts {
  return {
    listen(onInterrupt) {
      let count = 0
      let lastMs = Number.NEGATIVE_INFINITY
      const onSignal = () => {
        const nowMs = monotonicMs()
        if (nowMs - lastMs < sameKeystrokeMs) return
        lastMs = nowMs
        count += 1
        onInterrupt(count)
      }
      process.on('SIGINT', onSignal)
      return { [Symbol.dispose]: () => void process.off('SIGINT', onSignal) }
    },
  }
}
