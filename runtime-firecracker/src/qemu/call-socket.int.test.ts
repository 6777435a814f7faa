import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openCallSocket } from './call-socket.ts'

async function aDirectory(name = ''): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'aegis-call-'))
  onTestFinished(() => rm(home, { recursive: true }))
  const directory = join(home, name)
  await mkdir(directory, { recursive: true })
  return directory
}

/** Whether it was let in, and stayed so. */
async function call(path: string): Promise<'connected' | 'refused'> {
  const socket = connect(path)
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  return new Promise((resolve) => {
    socket.once('connect', () => resolve('connected'))
    socket.once('close', () => resolve('refused'))
  })
}

describe('the socket that a monitor calls', () => {
  it('hands over the one call, and knows no second caller', async () => {
    await using socket = await openCallSocket(await aDirectory(), 'qmp', undefined)
    const caller = connect(socket.path)
    const called = await socket.called
    caller.write('hello')
    expect(String((await once(called, 'data'))[0])).toBe('hello')
    expect(await call(socket.path)).toBe('refused')
    caller.destroy()
  })

  it('is open to its owner alone', async () => {
    const directory = await aDirectory()
    await using socket = await openCallSocket(directory, 'qmp', undefined)
    expect((await stat(socket.path)).mode & 0o777).toBe(0o600)
    if (process.getuid?.() !== 0) return
    await using theirs = await openCallSocket(directory, 'other', 1_900_000_007)
    expect(await stat(theirs.path)).toMatchObject({ uid: 1_900_000_007, gid: 1_900_000_007 })
  })

  it('may lie deeper than the name of a socket is long', async () => {
    const directory = await aDirectory(`${'deep/'.repeat(40)}end`)
    expect(directory.length).toBeGreaterThan(200)
    await using socket = await openCallSocket(directory, 'qmp', undefined)
    expect((await stat(socket.path)).isSocket()).toBe(true)
  })

  it('is gone when it is closed, called or not', async () => {
    const directory = await aDirectory()
    const uncalled = await openCallSocket(directory, 'uncalled', undefined)
    await uncalled[Symbol.asyncDispose]()
    const called = await openCallSocket(directory, 'called', undefined)
    expect(await call(called.path)).toBe('connected')
    await called[Symbol.asyncDispose]()
    expect(await readdir(directory)).toEqual([])
  })

  it('is gone also when nobody took the call, whatever was said in it', async () => {
    const directory = await aDirectory()
    const socket = await openCallSocket(directory, 'qmp', undefined)
    const caller = connect(socket.path)
    caller.on('error', () => {})
    caller.write('greetings that nobody reads')
    await socket.called
    await socket[Symbol.asyncDispose]()
    expect(await readdir(directory)).toEqual([])
    caller.destroy()
  })

  it('is refused where there is one already, and leaves that alone', async () => {
    const directory = await aDirectory()
    await using first = await openCallSocket(directory, 'qmp', undefined)
    await expect(openCallSocket(directory, 'qmp', undefined)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
    expect(await call(first.path)).toBe('connected')
  })
})
