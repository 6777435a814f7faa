import CliTable from 'cli-table3'
import stringWidth from 'string-width'
import { cut } from './cut.ts'
import { sanitiseLine } from './sanitise.ts'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string
  /** Colours the cell after its text was made safe. */
  readonly paint?: ((text: string, row: Row) => string) | undefined
  /** May be cut with `…` when the terminal is too narrow; ids and names may not. */
  readonly flexible?: boolean | undefined
  readonly align?: 'left' | 'right'
}

const gap = 2
const narrowestCell = 8

/** A table without borders that fits `columns`, as far as its flexible columns allow. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly columns: number; readonly title?: (text: string) => string },
): string {
  const cells = rows.map((row) => columns.map((column) => sanitiseLine(column.value(row))))
  const widths = fit(columns, cells, options.columns)
  const table = new CliTable({
    chars: borderless,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': gap },
    colWidths: widths.map((width) => width + gap),
    colAligns: columns.map((column) => column.align ?? 'left'),
  })
  table.push(columns.map((column) => (options.title ?? String)(column.title)))
  for (const [at, row] of rows.entries()) {
    table.push(
      columns.map((column, index) =>
        cell(column, row, cells[at]?.[index] ?? '', widths[index] ?? 0),
      ),
    )
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

function cell<Row>(column: Column<Row>, row: Row, text: string, width: number): string {
  const short = cut(text, width)
  return column.paint === undefined ? short : column.paint(short, row)
}

function fit<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  available: number,
): readonly number[] {
  const widths = columns.map((column, index) =>
    Math.max(stringWidth(column.title), ...cells.map((row) => stringWidth(row[index] ?? ''))),
  )
  const excess = () => widths.reduce((sum, width) => sum + width + gap, -gap) - available
  while (excess() > 0) {
    const widest = widestFlexible(columns, widths)
    if (widest === undefined) break
    widths[widest] = Math.max(narrowestCell, (widths[widest] ?? 0) - excess())
  }
  return widths
}

function widestFlexible<Row>(
  columns: readonly Column<Row>[],
  widths: readonly number[],
): number | undefined {
  let found: number | undefined
  for (const [index, column] of columns.entries()) {
    const width = widths[index] ?? 0
    if (!column.flexible || width <= narrowestCell) continue
    if (found === undefined || width > (widths[found] ?? 0)) found = index
  }
  return found
}

const borderless = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
}
