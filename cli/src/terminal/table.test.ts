import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { type Column, renderTable } from './table.ts'

interface Row {
  readonly name: string
  readonly text: string
}
const columns: readonly Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name },
  { title: 'TEXT', value: (row) => row.text, flexible: true },
]

describe('renderTable', () => {
  it('lines its columns up without borders', () => {
    const rows = [
      { name: 'echo', text: 'says it again' },
      { name: 'poet', text: 'rhymes' },
    ]
    expect(renderTable(columns, rows, { columns: 80 })).toBe(
      'NAME  TEXT\necho  says it again\npoet  rhymes',
    )
  })

  it('keeps a gap between numbers on the right and what follows', () => {
    const counted: readonly Column<Row>[] = [
      { title: 'COUNT', value: (row) => row.name, align: 'right' },
      { title: 'TEXT', value: (row) => row.text },
    ]
    expect(renderTable(counted, [{ name: '7', text: 'x' }], { columns: 80 })).toBe(
      'COUNT  TEXT\n    7  x',
    )
  })

  it('cuts the flexible column where the terminal is narrow, and never the others', () => {
    const rows = [{ name: 'a-name-that-is-long', text: '世界'.repeat(40) }]
    const table = renderTable(columns, rows, { columns: 40 })
    expect(table).toContain('a-name-that-is-long')
    expect(table).toContain('…')
    for (const line of table.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(40)
  })

  it('cuts nothing when there is no terminal', () => {
    const rows = [{ name: 'a', text: 'x'.repeat(500) }]
    expect(renderTable(columns, rows, { columns: Number.POSITIVE_INFINITY })).toContain(
      'x'.repeat(500),
    )
  })

  it('never lets a cell break the row or reach the terminal', () => {
    const table = renderTable(columns, [{ name: 'a', text: 'b\n\x1b[2Jc' }], { columns: 80 })
    expect(table).toBe('NAME  TEXT\na     b\\n\\x1b[2Jc')
  })
})
