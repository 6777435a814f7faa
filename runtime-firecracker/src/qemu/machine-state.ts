import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { abortable } from '@aegis/sandbox'
import { disarm } from '../disarm.ts'
import { inBox } from './qemu-command.ts'
import type { QmpClient } from './qmp-client.ts'

/** Most bytes of a state: devices and processors. The memory is not among them, it stays in its file. */
export const stateBytesMax = 16 << 20

/**
 * Pauses the machine and writes its state into `file`. QEMU, which has no file of the host's to write
 * to, sends it over the socket on which it `called`.
 */
export async function saveState(
  qmp: QmpClient,
  called: Promise<Socket>,
  file: FileHandle,
  signal: AbortSignal,
): Promise<void> {
  await abortable(qmp.run('stop'), signal)
  await abortable(agree(qmp), signal)
  const migrated = migrationOf(qmp)
  await abortable(qmp.run('migrate', { uri: `unix:${inBox.state}` }), signal)
  const failed = migrated.then(() => called)
  const socket = await abortable(Promise.race([called, failed]), signal)
  await pipeline(socket, bounded, file.createWriteStream(), { signal })
  await abortable(migrated, signal)
}

/**
 * Has QEMU, which was started to wait for one, continue from the state at `path`. The machine is
 * paused then, as it was when it was saved. `directory` is QEMU's own, which its box shows it.
 */
export async function loadState(
  qmp: QmpClient,
  directory: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  await using state = await open(path)
  const { size } = await state.stat()
  if (size > stateBytesMax) throw tooLarge()
  await abortable(agree(qmp), signal)
  const migrated = migrationOf(qmp)
  await abortable(qmp.run('migrate-incoming', { uri: `unix:${inBox.incoming}` }), signal)
  const socket = await dial(directory, signal)
  try {
    // Why QEMU takes no more of it is told by its end.
    const source = state.createReadStream()
    await pipeline(source, socket, { signal }).catch(() => socket.destroy())
    await abortable(migrated, signal)
  } finally {
    socket.destroy()
  }
}

/** Nothing of QEMU's is believed less than before: it has not yet seen a byte of the state. */
async function dial(directory: string, signal: AbortSignal): Promise<Socket> {
  // The path may be longer than the name of a socket.
  await using handle = await open(directory)
  const socket = connect(join(`/proc/self/fd/${handle.fd}`, 'incoming'))
  socket.on('error', () => {})
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** What both ends have to agree on: the memory is not sent, and the end is told. */
async function agree(qmp: QmpClient): Promise<void> {
  const capabilities = ['x-ignore-shared', 'events']
  await qmp.run('migrate-set-capabilities', {
    capabilities: capabilities.map((capability) => ({ capability, state: true })),
  })
}

/** Settles with the migration that is begun next. */
function migrationOf(qmp: QmpClient): Promise<void> {
  const migrated = new Promise<void>((resolve, reject) => {
    void qmp.closed.then(() => reject(new Error('QEMU ended')))
    qmp.onEvent((name, data) => {
      if (name !== 'MIGRATION') return
      const status: unknown = Reflect.get(Object(data), 'status')
      if (status === 'completed') resolve()
      if (status === 'failed') void whyNot(qmp).then(reject)
    })
  })
  migrated.catch(() => {})
  return migrated
}

async function whyNot(qmp: QmpClient): Promise<Error> {
  const answer = await qmp.run('query-migrate').catch(() => undefined)
  const because: unknown = Reflect.get(Object(answer), 'error-desc')
  return new Error(
    typeof because === 'string'
      ? disarm(because)
      : 'QEMU could not move its state, and says no more',
  )
}

async function* bounded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > stateBytesMax) throw tooLarge()
    yield chunk
  }
}

const tooLarge = (): Error => new Error(`the state has more than ${stateBytesMax} bytes`)
