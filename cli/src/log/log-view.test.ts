import type { ExecutionEvent } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { aProgress } from '../testing/an-image.ts'
import { recordTerminal } from '../testing/record-terminal.ts'
import { makeExecutionLog } from './execution-log.ts'
import { openLogView } from './log-view.ts'

const instant = (second: number) => `2026-11-22T15:04:${String(second).padStart(2, '0')}.000Z`
const pulling = (second: number): ExecutionEvent => ({
  type: 'execution.image-pulling',
  at: instant(second),
  progress: aProgress({ downloadedBytes: second * 1024 * 1024 }),
})
const pulled: ExecutionEvent = {
  type: 'execution.image-pulled',
  at: instant(25),
  image: { reference: 'python:3.11', id: 'sha256:1', digest: 'python@sha256:2' },
  durationMs: 25_000,
}

function show(options: { readonly isLive: boolean; readonly isTty: boolean }) {
  const terminal = recordTerminal({ isTty: options.isTty })
  using view = openLogView({ terminal, print: terminal.line, isLive: options.isLive })
  const log = makeExecutionLog({ style: terminal.style, verbose: false, errorsOnly: false })
  for (let second = 0; second <= 24; second += 1) view.add(log, pulling(second))
  view.add(log, pulled)
  view.end(log)
  return terminal
}

describe('a log with a pull in it', () => {
  it('has one live line at a terminal, which leaves no trace', () => {
    const terminal = show({ isLive: true, isTty: true })
    expect(terminal.stdout()).toBe(
      `${instant(25)} image       python:3.11 (python@sha256:2) pulled in 25.0 s\n`,
    )
    expect(terminal.stderr()).toContain('pulling python:3.11')
    expect(terminal.stderr().endsWith('\r\x1b[2K')).toBe(true)
  })

  it.each([
    [true, false],
    [false, true],
    [false, false],
  ])('has a line now and then elsewhere (live %s, terminal %s)', (isLive, isTty) => {
    const terminal = show({ isLive, isTty })
    const lines = terminal.stdout().trimEnd().split('\n')
    expect(lines.map((line) => line.slice(17, 36))).toEqual([
      '00.000Z image      ',
      '10.000Z image      ',
      '20.000Z image      ',
      '25.000Z image      ',
    ])
    expect(lines[1]).toContain('pulling python:3.11: 1 of 3 layers, 10 MiB of 40 MiB')
    expect(terminal.stderr()).toBe('')
  })
})
