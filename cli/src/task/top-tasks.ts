import { setTimeout as delay } from 'node:timers/promises'
import { sandboxStatusToWire } from '@aegis/http-contract'
import { streamUntilInterrupted } from '../log/stream-until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { makeScreen } from '../terminal/screen.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { sandboxTable } from './sandbox-table.ts'
import type { SandboxUsage } from './sandbox-usage.ts'
import { watchSandboxes } from './watch-sandboxes.ts'

/** Ctrl-C is how one leaves it, and so a success. */
export const topTasks: CommandHandler<{
  /** Seconds. */
  readonly interval: number
  readonly once?: boolean
  readonly all?: boolean
}> = async (context, _, { interval, once = false, all = false }) => {
  const { terminal } = context
  await using connection = await context.connectRunning()
  if (connection === undefined) return sayNothingRuns(terminal)
  const { sandboxes } = connection.controlPlane
  const show = showerFor(terminal, { all, once })
  let last: readonly SandboxUsage[] | undefined
  using _resizing = terminal.onResize(() => {
    if (last !== undefined && show.again) show.now(last)
  })
  const end = await streamUntilInterrupted(
    context,
    (signal) =>
      watchSandboxes(
        {
          sandboxes,
          intervalMs: interval * 1000,
          once,
          monotonicMs: () => performance.now(),
          sleep: (ms, stop) => delay(ms, undefined, { signal: stop }),
        },
        signal,
      ),
    (usages) => {
      last = usages
      show.now(usages)
    },
  )
  // The terminal has echoed ^C.
  if (show.again && end === 'interrupted') terminal.line()
  return exitCodes.success
}

interface Shower {
  now(usages: readonly SandboxUsage[]): void
  /** It replaces what it showed before. */
  readonly again: boolean
}

function showerFor(
  terminal: Terminal,
  { all, once }: { readonly all: boolean; readonly once: boolean },
): Shower {
  const isLive = terminal.canRedraw && !terminal.json && !once
  const screen = makeScreen(terminal)
  return {
    again: isLive,
    now(usages) {
      const nowMs = Date.now()
      if (terminal.json) {
        terminal.item(lookToJson(usages, { all, nowMs }))
        return
      }
      const { style, columns } = terminal
      const rows = isLive ? terminal.rows : Number.POSITIVE_INFINITY
      const lines = sandboxTable(usages, { style, nowMs, columns, rows, all })
      if (isLive) screen.draw(lines)
      else for (const line of lines) terminal.line(line)
    },
  }
}

const lookToJson = (
  usages: readonly SandboxUsage[],
  { all, nowMs }: { readonly all: boolean; readonly nowMs: number },
) => ({
  at: new Date(nowMs).toISOString(),
  sandboxes: usages
    .filter(({ sandbox }) => all || sandbox.state === 'hot')
    .map(({ sandbox, cpuPercent }) => ({
      ...sandboxStatusToWire(sandbox),
      cpu_percent: cpuPercent ?? null,
    })),
})

function sayNothingRuns(terminal: Terminal): ExitCode {
  if (terminal.json) {
    terminal.item(lookToJson([], { all: true, nowMs: Date.now() }))
    return exitCodes.success
  }
  terminal.line('Nothing runs: there is no daemon.')
  terminal.line(terminal.style.dim('Start it: aegis daemon start'))
  return exitCodes.success
}
