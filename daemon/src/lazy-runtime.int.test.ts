import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AegisError, type SandboxRuntime } from '@aegis/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { lazyRuntime } from './lazy-runtime.ts'

const never = new AbortController().signal
const refusal = () =>
  new AegisError(
    'unsupported',
    'qemu.absent',
    'QEMU is not there. Install it: apt-get install qemu',
  )

/** A lazy runtime on one that counts how often it was opened, and what was asked of it. */
async function scene(failures: readonly Error[] = []) {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'aegis-lazy-'))
  onTestFinished(() => rm(stateDirectory, { recursive: true, force: true }))
  const waiting = [...failures]
  const seen = { opened: 0, closed: 0, asked: [] as string[] }
  const note = (what: string) => void seen.asked.push(what)
  const real: Pick<SandboxRuntime, 'sweep' | 'diagnose'> = {
    async sweep() {
      note('sweep')
      return { removed: ['machine x'] }
    },
    async diagnose() {
      note('diagnose')
      return [{ name: 'monitor', state: 'ok', detail: 'here' }]
    },
  }
  const runtime = lazyRuntime({
    isolation: 'firecracker',
    stateDirectory,
    async open() {
      seen.opened += 1
      const failure = waiting.shift()
      if (failure) throw failure
      return {
        ...real,
        isolation: 'firecracker',
        capabilities: () => Promise.reject(new Error('not here')),
        boot: () => Promise.reject(new Error('not here')),
        async [Symbol.asyncDispose]() {
          seen.closed += 1
        },
      }
    },
  })
  return { runtime, seen, stateDirectory }
}

describe('a runtime that is opened when it is needed', () => {
  it('is opened once, however many need it at once', async () => {
    const { runtime, seen } = await scene()
    expect(seen.opened).toBe(0)
    await Promise.all([runtime.diagnose(never), runtime.diagnose(never), runtime.sweep(never)])
    expect(seen.opened).toBe(1)
  })

  it('sweeps nothing, and is not opened for it, where none has ever been', async () => {
    const { runtime, seen, stateDirectory } = await scene()
    await rm(stateDirectory, { recursive: true })
    expect(await runtime.sweep(never)).toEqual({ removed: [] })
    expect(seen.opened).toBe(0)
  })

  it('sweeps what an earlier one left, as soon as the node starts', async () => {
    const { runtime } = await scene()
    expect(await runtime.sweep(never)).toEqual({ removed: ['machine x'] })
  })

  it('lets a node start that lacks what it needs, and shows the lack with its remedy', async () => {
    const { runtime } = await scene([refusal(), refusal()])
    expect(await runtime.sweep(never)).toEqual({ removed: [] })
    expect(await runtime.diagnose(never)).toEqual([
      {
        name: 'firecracker',
        state: 'missing',
        detail: 'QEMU is not there.',
        remedy: 'Install it: apt-get install qemu',
      },
    ])
  })

  it('is tried again by the next who needs it', async () => {
    const { runtime, seen } = await scene([refusal()])
    await expect(runtime.capabilities(never)).rejects.toMatchObject({ code: 'qemu.absent' })
    expect(await runtime.diagnose(never)).toMatchObject([{ name: 'monitor', state: 'ok' }])
    expect(seen.opened).toBe(2)
  })

  it('does not hide a bug behind an absence', async () => {
    const { runtime } = await scene([new TypeError('a bug'), new TypeError('a bug')])
    await expect(runtime.sweep(never)).rejects.toThrow('a bug')
    await expect(runtime.diagnose(never)).rejects.toThrow('a bug')
  })

  it('is closed with its node when it was opened, and never opened after', async () => {
    const unused = await scene()
    await unused.runtime[Symbol.asyncDispose]()
    expect(unused.seen).toMatchObject({ opened: 0, closed: 0 })
    const used = await scene()
    await used.runtime.sweep(never)
    await used.runtime[Symbol.asyncDispose]()
    expect(used.seen).toMatchObject({ opened: 1, closed: 1 })
    await expect(used.runtime.boot(Object.create(null), never)).rejects.toMatchObject({
      code: 'runtime.closed',
    })
    expect(used.seen.opened).toBe(1)
  })
})
