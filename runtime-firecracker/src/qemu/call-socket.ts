import { chmod, chown, open } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'

/** A socket on which the daemon waits for one QEMU, which calls once. */
export interface CallSocket extends AsyncDisposable {
  readonly path: string
  /** The call. Waits for ever: whoever asks watches for the end of QEMU meanwhile. */
  readonly called: Promise<Socket>
}

/** The path may be longer than the name of a socket: it is bound through its directory. */
export async function openCallSocket(
  directory: string,
  name: string,
  uid: number | undefined,
): Promise<CallSocket> {
  await using undo = new AsyncDisposableStack()
  const handle = await open(directory)
  undo.defer(() => handle.close())
  const call = Promise.withResolvers<Socket>()
  let caller: Socket | undefined
  const server = createServer((socket) => {
    server.close()
    caller = socket
    // Whoever calls may be gone before anybody wants to hear of it.
    socket.on('error', () => {})
    call.resolve(socket)
  })
  server.maxConnections = 1
  const short = `/proc/self/fd/${handle.fd}/${name}`
  await listening(server, short)
  // Before the directory is closed, through which the name is removed.
  undo.defer(() => closing(server))
  // A server is closed once its connections are, and nobody may have read from this one.
  undo.defer(() => void caller?.destroy())
  await chmod(short, 0o600)
  if (uid !== undefined) await chown(short, uid, uid)
  const resources = undo.move()
  return {
    path: join(directory, name),
    called: call.promise,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      server.on('error', () => {})
      resolve()
    })
  })
}

const closing = (server: Server): Promise<void> =>
  new Promise((resolve) => void server.close(() => resolve()))
