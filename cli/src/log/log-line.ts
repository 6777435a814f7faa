/** One line of an execution's log before it is coloured. Texts are raw: the printer makes them safe. */
export interface LogLine {
  readonly at: string
  readonly label: string
  readonly text: string
  readonly tone: 'plain' | 'quiet' | 'good' | 'warning' | 'bad'
  /** `detail` is shown with --verbose only. */
  readonly level: 'normal' | 'detail'
  /** Shown with --errors-only. */
  readonly isError: boolean
}

export interface LogFilter {
  readonly verbose: boolean
  readonly errorsOnly: boolean
}

export function isShown(line: LogLine, filter: LogFilter): boolean {
  if (filter.errorsOnly && !line.isError) return false
  return line.level === 'normal' || filter.verbose
}
