import { Duplex } from 'node:stream'
import { disarm } from './engine-failure.ts'
import type { Upgraded } from './engine-transport.ts'
import { StreamDemuxer } from './stream-demuxer.ts'

/** The streams of a container. */
export interface Attachment {
  /** Its stdout to read, its stdin to write. Destroying it closes both. */
  readonly stdio: Duplex
  /** The start of what it wrote to stderr so far, disarmed. */
  complaint(): string
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>
}

const complaintMaxBytes = 4096

/** Makes streams of a connection that attaching took over. */
export function openAttachment({ socket, head }: Upgraded): Attachment {
  const complaint: Buffer[] = []
  let complaintBytes = 0
  const demuxer = new StreamDemuxer({
    onStdout: (bytes) => {
      if (!stdio.push(bytes)) socket.pause()
    },
    onStderr: (bytes) => {
      const part = bytes.subarray(0, complaintMaxBytes - complaintBytes)
      complaintBytes += part.length
      // A copy, lest a few bytes keep all that came with them.
      if (part.length > 0) complaint.push(Buffer.from(part))
    },
  })

  const receive = (chunk: Buffer): void => {
    try {
      demuxer.push(chunk)
    } catch (error) {
      stdio.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  const stdio = new Duplex({
    allowHalfOpen: false,
    read: () => void socket.resume(),
    write: (chunk: Buffer, _, done) => void socket.write(chunk, done),
    writev(chunks, done) {
      socket.cork()
      for (const { chunk } of chunks.slice(0, -1)) socket.write(chunk)
      socket.write(chunks.at(-1)?.chunk, done)
      socket.uncork()
    },
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })

  // Whoever reads the streams hears of their end; what broke the connection says nothing more.
  socket.on('error', () => {})
  stdio.on('error', () => {})
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      stdio.push(null)
      resolve()
    })
  })
  socket.on('data', receive)
  socket.once('end', () => stdio.push(null))
  if (head.length > 0) receive(head)
  return { stdio, complaint: () => disarm(Buffer.concat(complaint).toString('utf8')), closed }
}
