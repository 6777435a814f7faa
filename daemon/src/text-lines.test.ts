import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { textLines } from './text-lines.ts'

describe('a log in text format', () => {
  it('has one line a message, with time, level, message and fields', () => {
    const lines: string[] = []
    const timestamp = () => ',"time":"2026-01-01T00:00:00.000Z"'
    const logger = pino(
      { base: null, timestamp },
      textLines((line) => lines.push(line)),
    )
    logger.warn({ agent: 'echo', hostile: 'a\nb\u001b[2J' }, 'something happened')
    expect(lines).toEqual([
      '2026-01-01T00:00:00.000Z WARN  something happened agent="echo" hostile="a\\nb\\u001b[2J"\n',
    ])
  })
})
