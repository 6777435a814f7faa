import type { ExecutionEvent } from '@aegis/core'
import { makePullReport } from '../image/pull-report.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Style } from '../terminal/style.ts'
import { describeEvent } from './describe-event.ts'
import { type LineAssembler, makeLineAssembler } from './line-assembler.ts'
import { isShown, type LogFilter, type LogLine } from './log-line.ts'

/** Turns the events of one execution into lines for people. */
export interface ExecutionLog {
  /** The lines that are complete with this event. */
  add(event: ExecutionEvent): readonly string[]
  /** The end of the stream: what is left without a line feed. */
  end(): readonly string[]
}

export interface ExecutionLogOptions extends LogFilter {
  readonly style: Style
  /** Starts every line where the log shows several executions. */
  readonly prefix?: string
}

type Stream = 'stdout' | 'stderr'

/** What bootstrap scripts write when the node runs at log level debug; otherwise there is none. */
const bootstrapDebug = '[BOOTSTRAP DEBUG]'

/** Agent text never reaches the terminal as a control sequence. */
export function makeExecutionLog(options: ExecutionLogOptions): ExecutionLog {
  const streams: Record<Stream, LineAssembler> = {
    stdout: makeLineAssembler(),
    stderr: makeLineAssembler(),
  }
  const pull = makePullReport()
  let lastAt = ''
  const rest = (): readonly LogLine[] => [
    ...streams.stdout.rest().map((text) => consoleLine(lastAt, 'stdout', text)),
    ...streams.stderr.rest().map((text) => consoleLine(lastAt, 'stderr', text)),
  ]
  const print = (lines: readonly LogLine[]) =>
    lines.filter((line) => isShown(line, options)).map((line) => formatLine(line, options))

  return {
    add(event) {
      if (event.type === 'execution.image-pulling') {
        // One a second would drown the rest.
        const text = pull.news(event.progress, Date.parse(event.at))
        return print(text === undefined ? [] : [imageLine(event.at, text)])
      }
      if (event.type !== 'execution.console') {
        // What a dead iteration left unfinished belongs before whatever happened next.
        const lines = [...(endsConsole(event) ? rest() : []), ...describeEvent(event)]
        lastAt = event.at
        return print(lines)
      }
      lastAt = event.at
      const lines = streams[event.stream].add(event.text)
      return print(lines.map((text) => consoleLine(event.at, event.stream, text)))
    },
    end: () => print(rest()),
  }
}

const imageLine = (at: string, text: string): LogLine => ({
  at,
  label: 'image',
  text,
  tone: 'plain',
  level: 'normal',
  isError: false,
})

const endsConsole = (event: ExecutionEvent): boolean =>
  event.type !== 'execution.llm-called' && event.type !== 'execution.denied'

function consoleLine(at: string, stream: Stream, text: string): LogLine {
  const isDebug = stream === 'stderr' && text.startsWith(bootstrapDebug)
  return {
    at,
    label: stream,
    text: text.endsWith('\r') ? text.slice(0, -1) : text,
    tone: isDebug ? 'quiet' : stream === 'stderr' ? 'warning' : 'plain',
    level: 'normal',
    isError: stream === 'stderr' && !isDebug,
  }
}

const labelWidth = 11

function formatLine(line: LogLine, { style, prefix }: ExecutionLogOptions): string {
  const text = sanitiseLine(line.text)
  const isConsole = line.label === 'stdout' || line.label === 'stderr'
  const paint = paintOf(line, style)
  return [
    style.dim(line.at),
    ...(prefix === undefined ? [] : [style.accent(prefix)]),
    isConsole ? style.dim(line.label.padEnd(labelWidth)) : paint(line.label.padEnd(labelWidth)),
    ...(isConsole ? [style.dim('|')] : []),
    paint(text),
  ]
    .join(' ')
    .trimEnd()
}

function paintOf(line: LogLine, style: Style): (text: string) => string {
  switch (line.tone) {
    case 'plain':
      return String
    case 'quiet':
      return style.dim
    case 'good':
      return style.good
    case 'warning':
      return style.warning
    case 'bad':
      return style.bad
  }
}
