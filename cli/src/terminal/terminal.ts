import { stringifySafely } from './sanitise.ts'
import { makeStyle, type Style } from './style.ts'

/** Where a command writes. Results go to stdout; notes, progress and errors to stderr. */
export interface Terminal {
  readonly style: Style
  /** Colours for stderr, which may be a terminal when stdout is not. */
  readonly noteStyle: Style
  /** One JSON document, or one JSON line per item of a stream, instead of text. */
  readonly json: boolean
  /** Somebody looks at stderr: progress may be drawn there. */
  readonly interactive: boolean
  /** Stdout is a terminal: what an agent wrote must be made safe before it is shown. */
  readonly outIsTerminal: boolean
  /** Stdout is a terminal that can draw again what it shows already. */
  readonly canRedraw: boolean
  /** Columns of stdout now; without limit when it is no terminal. */
  readonly columns: number
  /** Rows of stdout now; without limit when it is no terminal. */
  readonly rows: number
  /** Columns of stderr now; without limit when it is no terminal. */
  readonly noteColumns: number
  /** Calls back when somebody changes the size of the terminal, until disposed. */
  onResize(listener: () => void): Disposable
  /** Text for stdout as it is, without a line feed added. */
  write(text: string): void
  line(text?: string): void
  note(text: string): void
  /** Text for stderr as it is: progress, redrawn in place. */
  writeNote(text: string): void
  document(value: unknown): void
  item(value: unknown): void
  /** A JSON line on stderr. */
  noteItem(value: unknown): void
}

export interface TerminalOptions {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly json: boolean
  /** False where the user asked for none: `--no-color`. */
  readonly colour: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The part of `process.stdout` that is needed here. */
export interface OutputStream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  on?(event: 'resize', listener: () => void): unknown
  off?(event: 'resize', listener: () => void): unknown
  write(text: string): unknown
}

export function makeTerminal({ stdout, stderr, json, colour, env }: TerminalOptions): Terminal {
  const colourful = colour && !env.NO_COLOR && env.TERM !== 'dumb'
  const outIsTerminal = stdout.isTTY === true
  return {
    style: makeStyle(colourful && outIsTerminal),
    noteStyle: makeStyle(colourful && stderr.isTTY === true),
    json,
    interactive: stderr.isTTY === true && env.TERM !== 'dumb' && !env.CI,
    outIsTerminal,
    canRedraw: outIsTerminal && env.TERM !== 'dumb',
    get columns() {
      return outIsTerminal ? (stdout.columns ?? 80) : Number.POSITIVE_INFINITY
    },
    get rows() {
      return outIsTerminal ? (stdout.rows ?? 24) : Number.POSITIVE_INFINITY
    },
    get noteColumns() {
      return stderr.isTTY === true ? (stderr.columns ?? 80) : Number.POSITIVE_INFINITY
    },
    onResize(listener) {
      stdout.on?.('resize', listener)
      return { [Symbol.dispose]: () => void stdout.off?.('resize', listener) }
    },
    write: (text) => void stdout.write(text),
    line: (text = '') => void stdout.write(`${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    writeNote: (text) => void stderr.write(text),
    document: (value) => void stdout.write(`${stringifySafely(value, 2)}\n`),
    item: (value) => void stdout.write(`${stringifySafely(value)}\n`),
    noteItem: (value) => void stderr.write(`${stringifySafely(value)}\n`),
  }
}
