import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadState, saveState, stateBytesMax } from './machine-state.ts'
import { makeQmpClient, type QmpClient } from './qmp-client.ts'

const never = new AbortController().signal

/** What a QEMU does when it is told to: answers, tells of an event, or is silent. */
type Act = { readonly event?: string; readonly answer?: unknown; readonly silent?: true }

/** A QEMU that acts as it is told at each command, and hears which those were. */
function aQemu(acts: Readonly<Record<string, Act>>, at: (command: string) => void = () => {}) {
  const stream = new Duplex({
    read() {},
    write(chunk, _, done) {
      const { execute, id } = JSON.parse(String(chunk))
      const { answer = {}, event, silent } = acts[execute] ?? {}
      const say = (message: object) => stream.push(`${JSON.stringify(message)}\n`)
      if (!silent) say({ return: answer, id })
      if (event !== undefined) say({ event: 'MIGRATION', data: { status: event } })
      at(execute)
      done()
    },
  })
  const qmp = makeQmpClient(stream, 10_000)
  onTestFinished(() => qmp[Symbol.dispose]())
  return { stream, qmp }
}

async function aPlace() {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-state-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

/** What is said to whoever calls. */
async function aCaller(talk: (socket: Socket) => void): Promise<Socket> {
  const path = join(await aPlace(), 'socket')
  const server = createServer((socket) => {
    socket.on('error', () => {})
    talk(socket)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const socket = connect(path)
  onTestFinished(() => {
    socket.destroy()
    server.close()
  })
  return socket
}

async function save(qmp: QmpClient, called: Promise<Socket>, signal = never) {
  const path = join(await aPlace(), 'state')
  await using file = await open(path, 'wx')
  await saveState(qmp, called, file, signal)
  return readFile(path, 'utf8')
}

describe('the state of a machine', () => {
  it('is what QEMU says until it has said all of it', async () => {
    const commands: string[] = []
    const { qmp } = aQemu({ migrate: { event: 'completed' } }, (name) => commands.push(name))
    expect(
      await save(
        qmp,
        aCaller((socket) => socket.end('a state')),
      ),
    ).toBe('a state')
    expect(commands).toEqual(['stop', 'migrate-set-capabilities', 'migrate'])
  })

  it('is refused when it has no end', async () => {
    const { qmp } = aQemu({})
    const flood = new Readable({ read: () => void flood.push(Buffer.alloc(1 << 16)) })
    const talk = (socket: Socket) => void pipeline(flood, socket).catch(() => {})
    await expect(save(qmp, aCaller(talk))).rejects.toThrow(`more than ${stateBytesMax} bytes`)
  })

  it('is none when QEMU gives up, which says why', async () => {
    const { qmp } = aQemu({
      migrate: { event: 'failed' },
      'query-migrate': { answer: { status: 'failed', 'error-desc': 'no\u001b room' } },
    })
    await expect(save(qmp, new Promise(() => {}))).rejects.toThrow('no  room')
  })

  it('is none when QEMU ends in the middle of it', async () => {
    const { qmp, stream } = aQemu({})
    const talk = (socket: Socket) => {
      socket.end('half a st')
      stream.destroy()
    }
    await expect(save(qmp, aCaller(talk))).rejects.toThrow(/ended$/)
  })

  it('is not waited for by who gave up, also when QEMU does not answer', async () => {
    const cancel = new AbortController()
    const { qmp } = aQemu({ stop: { silent: true } }, () => cancel.abort(new Error('enough')))
    await expect(save(qmp, new Promise(() => {}), cancel.signal)).rejects.toThrow('enough')
  })

  it('is not read where QEMU does not wait for it', async () => {
    const { qmp } = aQemu({})
    const directory = await aPlace()
    const path = join(directory, 'state')
    await (await open(path, 'w')).close()
    await expect(loadState(qmp, directory, path, never)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
