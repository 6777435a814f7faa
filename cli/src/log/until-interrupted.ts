import type { CommandContext } from '../program/command-context.ts'

/** Waits for something that can be given up, until it is there or Ctrl-C. */
export async function untilInterrupted<Value>(
  context: Pick<CommandContext, 'interrupts'>,
  start: (signal: AbortSignal) => Promise<Value>,
): Promise<Value | 'interrupted'> {
  const stop = new AbortController()
  using _ = context.interrupts.listen(() => stop.abort())
  try {
    return await start(stop.signal)
  } catch (error) {
    if (stop.signal.aborted) return 'interrupted'
    throw error
  }
}
