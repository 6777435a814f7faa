import type { Exit } from '@aegis/core'
import { noHits } from '@aegis/sandbox'
import { describe, expect, it } from 'vitest'
import { exitCause } from './exit-cause.ts'

const usage = { cpuUserMs: 0, cpuSystemMs: 0, maxRssBytes: 0 }
const exited = (code: number): Exit => ({ code, signal: undefined, usage, cause: undefined })
const killed: Exit = { code: undefined, signal: 'KILL', usage, cause: undefined }
const oom = { ...noHits, oomKills: 1 }
const full = { ...noHits, sharedMemoryBytes: 990 }
const refused = { ...noHits, pidsRefusals: 4 }

describe('a command that failed', () => {
  it.each([
    ['was killed for its memory', killed, oom, 'memory_limit'],
    ['lost a child for its memory', exited(137), oom, 'memory_limit'],
    ['was refused a process', exited(2), refused, 'pids_limit'],
    ['had filled the disk', exited(1), full, 'disk_limit'],
    ['met two limits at once', exited(1), { ...full, oomKills: 1 }, 'memory_limit'],
    ['just failed', exited(1), noHits, undefined],
    ['was killed by somebody', killed, noHits, undefined],
  ])('because it %s', (_, exit, after, cause) => {
    expect(exitCause(exit, noHits, after, 1000)).toBe(cause)
  })

  it('is not blamed on a limit that struck before it started', () => {
    expect(exitCause(killed, oom, oom, 1000)).toBeUndefined()
  })

  it('keeps the cause the wire knows, but a guest that was killed for memory says so', () => {
    const cut = (cause: Exit['cause']): Exit => ({ ...killed, cause })
    expect(exitCause(cut('output_limit'), noHits, oom, 1000)).toBe('output_limit')
    expect(exitCause(cut('sandbox_lost'), noHits, oom, 1000)).toBe('memory_limit')
    expect(exitCause(cut('sandbox_lost'), noHits, noHits, 1000)).toBe('sandbox_lost')
  })
})

it('a command that succeeded met no limit that mattered', () => {
  expect(
    exitCause(exited(0), noHits, { ...full, oomKills: 2, pidsRefusals: 2 }, 1000),
  ).toBeUndefined()
})
