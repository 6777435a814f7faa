import type { CommandContext } from '../program/command-context.ts'

/** Reads a stream to its end, or until Ctrl-C. */
export async function streamUntilInterrupted<Item>(
  context: Pick<CommandContext, 'interrupts'>,
  open: (signal: AbortSignal) => AsyncIterable<Item>,
  onItem: (item: Item) => void,
): Promise<'ended' | 'interrupted'> {
  const stop = new AbortController()
  using _ = context.interrupts.listen(() => stop.abort())
  try {
    for await (const item of open(stop.signal)) onItem(item)
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
  return stop.signal.aborted ? 'interrupted' : 'ended'
}
