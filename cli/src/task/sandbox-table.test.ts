import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { makeStyle } from '../terminal/style.ts'
import { aSandbox } from '../testing/a-sandbox.ts'
import { sandboxTable } from './sandbox-table.ts'
import type { SandboxUsage } from './sandbox-usage.ts'

const usage = (
  changes: Parameters<typeof aSandbox>[0] = {},
  cpuPercent: number | undefined = 12.34,
): SandboxUsage => ({ sandbox: aSandbox(changes), cpuPercent })

const wide = {
  style: makeStyle(false),
  nowMs: Date.parse('2026-11-22T15:05:00.000Z'),
  columns: 200,
  rows: 24,
  all: false,
}
const uuid = '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'

describe('the table of sandboxes', () => {
  it('shows what each one uses, and how many there are', () => {
    const booting = usage({ id: 's2', state: 'cold', stats: undefined })
    expect(sandboxTable([usage(), booting], wide)).toEqual([
      '1 running, 0 warm, 1 booting',
      'TASK  AGENT  STATE  ISOLATION  CPU %  MEMORY    PEAK    LIMIT  READ  WRITTEN  PIDS  AGE',
      'e1    echo   hot    process     12.3  41 MiB  60 MiB  128 MiB   0 B  4.0 KiB     3   5m',
    ])
  })

  it('shows those that run nothing when asked for all, with what is known of them', () => {
    const waiting = usage({ state: 'warm', executionId: undefined, stats: undefined }, undefined)
    const [, , line] = sandboxTable([{ ...waiting, cpuPercent: undefined }], { ...wide, all: true })
    expect(line).toMatch(/^- +echo +warm +process +- +- +- +128 MiB +- +- +- +5m$/)
    expect(sandboxTable([waiting], wide)).toEqual(['0 running, 1 warm, 0 booting'])
  })

  it('leaves the least telling columns out before it breaks a line', () => {
    for (const columns of [200, 100, 80, 60, 50]) {
      const lines = sandboxTable([usage({ executionId: uuid, agentName: 'a'.repeat(40) })], {
        ...wide,
        columns,
      })
      for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns)
      expect(lines[1]).toMatch(/TASK.*AGENT.*STATE.*CPU %.*MEMORY.*AGE/)
    }
  })

  it('shows whole ids where there is room, and everywhere else than on a terminal', () => {
    const endless = { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY }
    expect(sandboxTable([usage({ executionId: uuid })], { ...wide, ...endless })[2]).toContain(uuid)
    expect(sandboxTable([usage({ executionId: uuid })], wide)[2]).toContain(uuid)
  })

  it('fits the height of the terminal, and says how many are missing', () => {
    const many = Array.from({ length: 30 }, (_, at) =>
      usage({ id: `s${at}`, executionId: `e${at}` }),
    )
    const lines = sandboxTable(many, { ...wide, rows: 10 })
    expect(lines).toHaveLength(9)
    expect(lines.at(-1)).toBe('… and 24 more')
    expect(sandboxTable(many.slice(0, 7), { ...wide, rows: 10 })).toHaveLength(9)
  })

  it('never lets a name reach the terminal', () => {
    const text = sandboxTable([usage({ agentName: 'a\x1b[2J\nb' })], wide).join('\n')
    expect(text).toContain('a\\x1b[2J\\nb')
    expect(text).not.toContain('\x1b')
  })
})
