import type { IncomingMessage } from 'node:http'
import { Transform } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { requestFault } from './request-fault.ts'

/**
 * The body of a request, through `scanner`.
 * @throws AegisError `invalid` / `secret.sigv4` when it is larger · what `scanner` fails with
 */
export async function readWhole(
  incoming: IncomingMessage,
  scanner: Transform,
  maxBytes: number,
): Promise<Buffer> {
  let left = maxBytes
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length
      done(left < 0 ? tooLarge(maxBytes) : null, chunk)
    },
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
