import { execFile } from 'node:child_process'
import { constants, open } from 'node:fs'
import { chown } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'

/** The end of what a stream said, within a bound, however much it says. */
export interface Sink {
  text(): string
}

/** Reads all, so that the writer never waits, and keeps the last `most` bytes. */
export function keepEnd(stream: Readable, most: number): Sink {
  let kept: Buffer = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    // A copy, lest a few bytes keep all that came with them.
    kept = Buffer.concat([kept, chunk]).subarray(-most)
    if (kept.buffer.byteLength > 2 * most) kept = Buffer.from(kept)
  })
  stream.on('error', () => {})
  return { text: () => kept.toString('utf8') }
}

/**
 * Makes FIFOs in a jail and reads them. Firecracker opens them so that it never waits: what does not
 * fit is lost and counted. They fill no disk.
 */
export async function openSinks<Name extends string>(
  root: string,
  names: readonly Name[],
  uid: number,
  most: number,
): Promise<AsyncDisposable & { readonly sinks: Readonly<Record<Name, Sink>> }> {
  await using undo = new AsyncDisposableStack()
  const paths = names.map((name) => join(root, name))
  await promisify(execFile)('/usr/bin/mkfifo', ['-m', '600', ...paths], { env: {} })
  const sinks: Partial<Record<Name, Sink>> = {}
  for (const name of names) {
    const path = join(root, name)
    await chown(path, uid, uid)
    // To write too, so that it does not end when Firecracker closes it.
    const fd = await promisify(open)(path, constants.O_RDWR | constants.O_NONBLOCK)
    // From here on, the descriptor is the stream's.
    const stream = new Socket({ fd, readable: true, writable: false })
    undo.defer(() => void stream.destroy())
    sinks[name] = keepEnd(stream, most)
  }
  const resources = undo.move()
  return {
    // Each name was given one in the loop above.
    sinks: sinks as Record<Name, Sink>,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
