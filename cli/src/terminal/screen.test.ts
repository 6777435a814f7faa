import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeScreen } from './screen.ts'

/** As much of a terminal as a screen uses. Long lines are cut while wrapping is off. */
function emulate(columns: number, rows: number) {
  const size = { columns, rows }
  let lines: string[] = ['']
  let row = 0
  const write = (text: string): void => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it reads control sequences
    for (const [part] of text.matchAll(/\x1b\[\??(\d*)([A-Za-z])|\n|[^\x1b\n]+/g)) {
      if (part === '\n') {
        row += 1
        if (row === lines.length) lines.push('')
      } else if (part.endsWith('F')) row = Math.max(0, row - Number.parseInt(part.slice(2), 10))
      else if (part === '\x1b[2K') lines[row] = ''
      else if (part === '\x1b[J') lines = [...lines.slice(0, row), '']
      else if (!part.startsWith('\x1b')) lines[row] = part.slice(0, size.columns)
    }
  }
  /** Made narrower, it wraps what stands there, and the cursor stays on the last row. */
  const resize = (to: number): void => {
    lines = lines.flatMap((line) => line.match(new RegExp(`.{1,${to}}`, 'gu')) ?? [''])
    row = lines.length - 1
    size.columns = to
  }
  return {
    terminal: {
      write,
      rows,
      get columns() {
        return size.columns
      },
    },
    resize,
    shown: () => lines.slice(0, -1),
  }
}

const line = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 })
const frames = fc.array(fc.array(line, { maxLength: 8 }), { minLength: 1, maxLength: 6 })

describe('a screen', () => {
  it('shows the last frame and nothing of those before, however long each was', () => {
    fc.assert(
      fc.property(frames, (all) => {
        const { terminal, shown } = emulate(20, 50)
        const screen = makeScreen(terminal)
        for (const lines of all) screen.draw(lines)
        expect(shown()).toEqual(all.at(-1)?.map((text) => text.slice(0, 20)))
      }),
    )
  })

  it('finds its place again on a terminal that was made narrower', () => {
    fc.assert(
      fc.property(frames, fc.integer({ min: 1, max: 20 }), (all, columns) => {
        const { terminal, resize, shown } = emulate(20, 500)
        const screen = makeScreen(terminal)
        for (const lines of all) screen.draw(lines)
        resize(columns)
        screen.draw(['x'])
        expect(shown()).toEqual(['x'])
      }),
    )
  })

  it('leaves out what is below the last row', () => {
    const { terminal, shown } = emulate(20, 4)
    makeScreen(terminal).draw(['1', '2', '3', '4', '5'])
    expect(shown()).toEqual(['1', '2', '3'])
  })
})
