import { Transform } from 'node:stream'
import { AegisError, type ExecutionSecret } from '@aegis/core'
import { type FormFinder, makeFormFinder } from './form-finder.ts'
import { type FormGuard, makeFormGuard } from './form-guard.ts'
import { formsOf } from './text-forms.ts'

/** Takes the values of secrets out of what comes back. */
export interface Redactor {
  /** A header's value or another short text, one character a byte. */
  redact(text: string): string
  /**
   * A stream of bytes without them. What may be the start of a value is kept back until it is known,
   * and nothing else.
   */
  stream(): Transform
  /** For bytes that cannot be changed: stops them at the first value. */
  guard(): FormGuard
}

const shown = Buffer.from('[secret]')

export function makeRedactor(secrets: readonly ExecutionSecret[]): Redactor {
  const finder = makeFormFinder(secrets.flatMap(partsOf).map((part) => formsOf(part)))
  return {
    redact: (text) => cut(finder, Buffer.from(text, 'latin1'), true).out.toString('latin1'),
    guard: () => makeFormGuard({ finder, holdFrom: 4, fail: echoed }),
    stream() {
      let rest: Buffer = Buffer.alloc(0)
      const pass = (chunk: Buffer, last: boolean) => {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
        const done = cut(finder, bytes, last)
        rest = done.rest
        return done.out
      }
      return new Transform({
        transform: (chunk: Buffer, _encoding, done) => done(null, pass(chunk, false)),
        flush: (done) => done(null, pass(Buffer.alloc(0), true)),
      })
    },
  }
}

const echoed = (): AegisError =>
  new AegisError(
    'denied',
    'secret.echoed',
    'The server sent the value of a secret where it cannot be taken out; the connection was cut.',
    { details: { record: 'secret.use' } },
  )

/** A key of AWS is made of several, of which each is one. */
function partsOf({ value, places }: ExecutionSecret): string[] {
  const text = value.reveal()
  return places.includes('sigv4') ? [text, ...text.split(':')] : [text]
}

function cut(finder: FormFinder, bytes: Buffer, last: boolean): { out: Buffer; rest: Buffer } {
  const parts: Buffer[] = []
  let from = 0
  for (;;) {
    const found = finder.find(bytes, from, last)
    if (found?.kind === 'whole') {
      parts.push(bytes.subarray(from, found.at), shown)
      from = found.end
      continue
    }
    const until = found?.at ?? bytes.length
    const tail = bytes.subarray(from, until)
    const out = parts.length === 0 ? tail : Buffer.concat([...parts, tail])
    return { out, rest: bytes.subarray(until) }
  }
}
