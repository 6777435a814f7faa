import { Writable } from 'node:stream'

/** pino's numbers for its levels. */
const levelNames: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
}

/** Turns pino's JSON lines into lines for people: time, level, message, then `key=value`. */
export function textLines(write: (line: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      write(textLine(line))
      done()
    },
  })
}

export function textLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json)
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
  const name = levelNames[level] ?? String(level)
  return `${time} ${name.padEnd(5)} ${msg}${rest.join('')}\n`
}
