import type { IncomingMessage } from 'node:http'
import { Transform } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { AegisError } from '@aegis/core'
import { requestFault } from './request-fault.ts'

/** What several bodies may take up in memory together. */
export interface BodyRoom {
  /** The part of one body, given back when it is disposed of. */
  hold(): HeldBody
}

export interface HeldBody extends Disposable {
  /** Whether there is room for so many more bytes. */
  take(bytes: number): boolean
}

export function makeBodyRoom(mostBytes: number): BodyRoom {
  let all = 0
  return {
    hold() {
      let own = 0
      return {
        take(bytes) {
          if (all + bytes > mostBytes) return false
          all += bytes
          own += bytes
          return true
        },
        [Symbol.dispose]() {
          all -= own
          own = 0
        },
      }
    },
  }
}

/**
 * The body of a request, through `scanner`.
 * @throws AegisError `invalid` / `secret.sigv4` when it is larger · `exhausted` / `secret.sigv4`
 * when there is no room beside others · what `scanner` fails with
 */
export async function readWhole(
  incoming: IncomingMessage,
  scanner: Transform,
  { maxBytes, held }: { readonly maxBytes: number; readonly held: HeldBody },
): Promise<Buffer> {
  let left = maxBytes
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length
      if (left < 0) return done(tooLarge(maxBytes))
      done(held.take(chunk.length) ? null : noRoom(), chunk)
    },
  })
  // Whoever hangs up in the middle is not waited for.
  incoming.once('close', () => {
    if (!incoming.complete)
      bounded.destroy(new AegisError('cancelled', 'request.gone', 'Client left'))
  })
  incoming.pipe(bounded)
  const [body] = await Promise.all([buffer(scanner), pipeline(bounded, scanner)])
  return body
}

const tooLarge = (maxBytes: number) =>
  requestFault(
    'invalid',
    'secret.sigv4',
    `A body of more than ${maxBytes} bytes cannot be hashed for its signature.`,
    {
      status: 413,
      remedy:
        'Send its hash in x-amz-content-sha256, or UNSIGNED-PAYLOAD where the service takes that.',
      record: 'secret.use',
    },
  )

const noRoom = () =>
  requestFault(
    'exhausted',
    'secret.sigv4',
    'Too many large bodies wait at once to be hashed for their signatures.',
    {
      remedy:
        'Send fewer at a time, or their hashes in x-amz-content-sha256, which needs no waiting.',
      record: 'secret.use',
    },
  )
