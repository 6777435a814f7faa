import type { AccessDenial } from '@aegis/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../limits.ts'
import { makeRecording } from '../testing/open-agent-port.ts'
import { makeLogLines } from '../testing/open-test-gateway.ts'
import { openDenialLog } from './denial-log.ts'

const denial = (subject: string, code = 'egress.no-rule'): AccessDenial => ({
  action: 'network.connect',
  subject,
  reason: 'No rule permits it.',
  code,
})

function openScene() {
  const recording = makeRecording()
  const log = openDenialLog({ recorder: recording, logger: makeLogLines(), executionId: 'e' })
  return { log, told: recording.denials }
}

describe('denials', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('are told at once, each the first time', () => {
    const { log, told } = openScene()
    log.deny(denial('a:1'))
    log.deny(denial('b:1'))
    log.deny(denial('a:1', 'egress.forbidden'))
    expect(told).toEqual([denial('a:1'), denial('b:1'), denial('a:1', 'egress.forbidden')])
  })

  it('that are repeated are counted, and told again after 5 seconds', () => {
    const { log, told } = openScene()
    for (let time = 0; time < 1000; time += 1) log.deny(denial('a:1'))
    vi.advanceTimersByTime(4_999)
    expect(told).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(told.slice(1)).toEqual([{ ...denial('a:1'), count: 999 }])
    vi.advanceTimersByTime(60_000)
    expect(told).toHaveLength(2)
  })

  it('that do not cease are told ever more seldom, and none is lost from the count', () => {
    const { log, told } = openScene()
    const minutes = 60
    for (let second = 0; second < minutes * 60; second += 1) {
      log.deny(denial('a:1'))
      vi.advanceTimersByTime(1_000)
    }
    log[Symbol.dispose]()
    expect(told.length).toBeLessThan(25)
    expect(told.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(minutes * 60)
  })

  it('that are still to be told are told when the sandbox ends, and later ones too', () => {
    const { log, told } = openScene()
    for (let time = 0; time < 3; time += 1) log.deny(denial('a:1'))
    log[Symbol.dispose]()
    expect(told.slice(1)).toEqual([{ ...denial('a:1'), count: 2 }])
    log.deny(denial('a:1'))
    expect(told.slice(2)).toEqual([denial('a:1')])
  })

  it('of too many kinds are told together, and none is lost from the count', () => {
    const { log, told } = openScene()
    for (let host = 0; host < limits.denialsTold + 500; host += 1) log.deny(denial(`h${host}:1`))
    log[Symbol.dispose]()
    expect(told).toHaveLength(limits.denialsTold + 2)
    expect(told.slice(-2)).toMatchObject([
      { code: 'egress.denials-untold', subject: 'others' },
      { code: 'egress.denials-untold', subject: 'others', count: 499 },
    ])
  })

  it('that cannot be recorded stop nobody', async () => {
    const logger = makeLogLines()
    const recorder = { denied: () => Promise.reject(new Error('the store is full')) }
    const log = openDenialLog({ recorder, logger, executionId: 'e' })
    log.deny(denial('a:1'))
    await Promise.resolve()
    expect(logger.lines).toEqual([expect.stringContaining('denial could not be recorded')])
  })

  it('hold no more of a name than a record needs, and nothing that a terminal would obey', () => {
    const { log, told } = openScene()
    log.deny(denial('x'.repeat(10_000)))
    log.deny(denial('db.test\0\u001b[2J\u202e:1'))
    expect(told[0]?.subject).toHaveLength(limits.denialSubjectCharacters)
    expect(told[1]?.subject).toBe('db.test??[2J?:1')
  })
})
