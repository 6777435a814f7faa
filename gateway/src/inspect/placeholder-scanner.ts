import { Transform } from 'node:stream'
import { AegisError, type ExecutionSecret, placeholderPrefix } from '@aegis/core'
import { makeFormFinder } from './secrets/form-finder.ts'
import { type FormGuard, makeFormGuard } from './secrets/form-guard.ts'
import { formsOf } from './secrets/text-forms.ts'

/** Sees the placeholders of an execution, in whatever form they are written. */
export interface PlaceholderScanner {
  /** The first secret whose placeholder stands in it; a text counts one byte a character. */
  find(content: string | Uint8Array): ExecutionSecret | undefined
  /**
   * Passes bytes on until a placeholder is among them: then it fails with a `PlaceholderLeak`, and no
   * digit of the placeholder has passed. Nothing else is kept back, so no conversation stalls.
   */
  stream(): Transform
  /** The same for whoever has no stream. */
  guard(): FormGuard
}

/** A placeholder was sent where its secret does not belong. */
export class PlaceholderLeak extends AegisError {
  readonly secret: ExecutionSecret

  constructor(secret: ExecutionSecret) {
    super('denied', 'secret.leaked', leakMessage(secret.name))
    this.secret = secret
  }
}

const leakMessage = (name: string): string =>
  `The placeholder of the secret "${name}" stands where it must not be sent. Send it over TLS to a host of that secret, in a place it is made for.`

export function makePlaceholderScanner(secrets: readonly ExecutionSecret[]): PlaceholderScanner {
  const finder = makeFormFinder(
    secrets.map(({ placeholder }) => formsOf(placeholder, { anyCase: true })),
  )

  const leak = (text: number): Error => {
    const secret = secrets[text]
    return secret === undefined ? new Error('A placeholder of nobody') : new PlaceholderLeak(secret)
  }
  const guard = () => makeFormGuard({ finder, holdFrom: placeholderPrefix.length, fail: leak })

  return {
    find(content) {
      const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
      const found = finder.find(bytes, 0, true)
      return found?.kind === 'whole' ? secrets[found.text] : undefined
    },
    guard,
    stream() {
      const { push } = guard()
      const pass = (chunk: Uint8Array, last: boolean, done: Done) => {
        try {
          done(null, push(chunk, last))
        } catch (error) {
          done(error instanceof Error ? error : new Error(String(error)))
        }
      }
      return new Transform({
        transform: (chunk: Buffer, _encoding, done) => pass(chunk, false, done),
        flush: (done) => pass(Buffer.alloc(0), true, done),
      })
    },
  }
}

type Done = (error: Error | null, bytes?: Buffer) => void
