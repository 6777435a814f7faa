import { makeTerminal, type Terminal } from '../terminal/terminal.ts'

/** A terminal that keeps what was written to it, for tests. */
export function recordTerminal(
  options: {
    readonly json?: boolean
    readonly isTty?: boolean
    readonly columns?: number
    readonly rows?: number
  } = {},
): Terminal & { readonly stdout: () => string; readonly stderr: () => string } {
  const { json = false, isTty = false, columns = 80, rows = 24 } = options
  const written = { stdout: '', stderr: '' }
  const streamTo = (name: keyof typeof written) => ({
    isTTY: isTty,
    columns,
    rows,
    write(text: string) {
      written[name] += text
    },
  })
  const terminal = makeTerminal({
    stdout: streamTo('stdout'),
    stderr: streamTo('stderr'),
    json,
    colour: false,
    env: {},
  })
  return { ...terminal, stdout: () => written.stdout, stderr: () => written.stderr }
}
