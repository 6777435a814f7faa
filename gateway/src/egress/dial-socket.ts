import { connect, type Socket } from 'node:net'
import { AegisError } from '@aegis/core'
import type { IpAddress } from './ip-address.ts'
import { subjectOf } from './subject-of.ts'

/** A connection as it was dialled. */
export interface Dialled {
  /** Its `data` come as from any socket, unless somebody reads lent bytes. */
  readonly socket: Socket
  /**
   * What arrives from now on goes to `take`, after what was already read is told as `data`. The bytes
   * are lent for the call only; false pauses the socket until it is resumed.
   */
  readLent(take: (bytes: Buffer) => boolean): void
}

/** All sockets read into this, one after the other: a buffer for each read is what reading costs most. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * Connects to exactly this address; no name is looked up on the way.
 * @throws AegisError `unavailable` / `egress.unreachable`
 */
export async function dialSocket(
  address: IpAddress,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Dialled> {
  signal.throwIfAborted()
  let takeLent: ((bytes: Buffer) => boolean) | undefined
  const socket: Socket = connect({
    host: address.text,
    port,
    family: address.family,
    autoSelectFamily: false,
    allowHalfOpen: true,
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback(length): boolean {
        const bytes = readBuffer.subarray(0, length)
        if (takeLent === undefined || socket.readableLength > 0)
          return socket.push(Buffer.from(bytes))
        return takeLent(bytes)
      },
    },
  })
  const { promise, resolve, reject } = Promise.withResolvers<Dialled>()
  const dialled: Dialled = {
    socket,
    readLent(take) {
      takeLent = take
    },
  }
  const abort = (): void => reject(signal.reason)
  const fail = (cause: unknown): void => reject(unreachable(address, port, codeOf(cause), cause))
  const late = (): void => reject(unreachable(address, port, `no answer within ${timeoutMs} ms`))
  const timer = setTimeout(late, timeoutMs)
  socket.once('connect', () => resolve(dialled))
  // A broken connection shows itself by its close; its error must find a listener at any time.
  socket.on('error', () => undefined)
  socket.once('error', fail)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    socket.off('error', fail)
    signal.removeEventListener('abort', abort)
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'it failed'

const unreachable = (
  { text }: IpAddress,
  port: number,
  why: string,
  cause?: unknown,
): AegisError => {
  const message = `${subjectOf(text, port)} cannot be reached: ${why}.`
  return new AegisError('unavailable', 'egress.unreachable', message, { cause })
}
