import type { FormFinder } from './form-finder.ts'

/** Watches bytes that pass, and stops them when a text is among them. */
export interface FormGuard {
  /**
   * What may go on, now that these bytes are known too.
   * @throws what `fail` makes
   */
  push(bytes: Uint8Array, last?: boolean): Buffer
}

export interface FormGuardOptions {
  readonly finder: FormFinder
  /**
   * So many characters of a text must be there before they are kept back: fewer pass, since a
   * conversation must not stall for a letter that many messages end in.
   */
  readonly holdFrom: number
  readonly fail: (text: number) => Error
}

export function makeFormGuard({ finder, holdFrom, fail }: FormGuardOptions): FormGuard {
  /** Where a text may have begun: bytes of which the first `sent` have passed. */
  let open: Buffer = Buffer.alloc(0)
  let sent = 0
  return {
    push(chunk, last = false) {
      const bytes = open.length === 0 ? Buffer.from(chunk) : Buffer.concat([open, chunk])
      const found = finder.find(bytes, 0, last)
      if (found?.kind === 'whole') throw fail(found.text)
      const at = found?.at ?? bytes.length
      const holds = found !== undefined && found.tokens >= holdFrom
      const passed = holds ? Math.max(at, sent) : bytes.length
      const out = bytes.subarray(sent, passed)
      open = bytes.subarray(at)
      sent = passed - at
      return out
    },
  }
}
