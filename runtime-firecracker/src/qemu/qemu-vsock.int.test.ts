import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { GuestSession } from '@aegis/sandbox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasQemu } from '../testing/bare-machine.ts'
import { openQemuBench, type QemuBench } from '../testing/qemu-bench.ts'
import { findVhostVsock } from '../testing/vhost-vsock.ts'

const never = new AbortController().signal
const env = { PATH: '/bin' }
const vsockPath = await findVhostVsock()
const absent = vsockPath === undefined ? ' (skipped: cargo install vhost-device-vsock)' : ''

describe.skipIf(!(await hasQemu()))('a machine in QEMU that calls over vsock', () => {
  let bench: QemuBench
  beforeAll(async () => {
    // What needs none of it is tried with any program.
    const given = { vsockPath: vsockPath ?? '/bin/false' }
    bench = await openQemuBench(1_953_000_000, ['sh', 'cat', 'dd', 'wc'], given)
  }, 120_000)
  afterAll(() => bench?.[Symbol.asyncDispose]())

  const shell = async (session: GuestSession, line: string, input = Buffer.alloc(0)) => {
    const command = await session.exec({ argv: ['sh', '-c', line], env, cwd: '/workspace' }, never)
    void command.writeStdin(input).then(() => command.closeStdin())
    return text(Readable.from(command.stdout))
  }

  describe.skipIf(vsockPath === undefined)(`with its device${absent}`, () => {
    it('has a wire that carries more than any buffer, both ways, and ends with it', async () => {
      await using machine = await bench.monitor.boot(await bench.plan('calls'), never)
      expect(bench.monitor.description).toMatch(/, vsock$/)
      expect(Object.keys(machine.phases)).toEqual(['monitor', 'kernel'])
      const session = await bench.connect(machine)
      const out = await shell(session, 'dd if=/dev/zero bs=1M count=4 2>/dev/null')
      expect(out.length).toBe(4 << 20)
      expect(await shell(session, 'wc -c', Buffer.alloc(4 << 20))).toBe(`${4 << 20}\n`)
      session.close()
      await machine.ended
      await machine[Symbol.asyncDispose]()
      expect(await bench.leftovers()).toEqual([])
    })

    it('ends, and leaves nothing, when its device dies', async () => {
      await using machine = await bench.monitor.boot(await bench.plan('dies'), never)
      const kill = await bench.killer('vsock-device')
      kill()
      expect(await machine.ended).toMatchObject({ reason: expect.stringMatching(/^QEMU /) })
      await machine[Symbol.asyncDispose]()
      expect(await bench.leftovers()).toEqual([])
    })
  })

  it('is not kept as a snapshot, nor made out of one, and says what to do', async () => {
    const plan = await bench.plan('kept')
    const refusal = {
      code: 'snapshot.unsupported',
      message: expect.stringContaining('qemu_vsock_path'),
    }
    const booting = bench.monitor.boot({ ...plan, forSnapshot: true }, never)
    await expect(booting).rejects.toMatchObject(refusal)
    const snapshot = { plan, statePath: '/nowhere', memoryPath: '/nowhere' }
    await expect(bench.monitor.restore(snapshot, plan, never)).rejects.toMatchObject(refusal)
    expect(await bench.leftovers()).toEqual([])
  })

  it('does not come up when the program is no such device, and leaves nothing', async () => {
    const directory = await bench.newDirectory('other')
    await using other = await bench.openMonitor(directory, { vsockPath: '/bin/false' })
    await expect(other.boot(await bench.plan('false'), never)).rejects.toMatchObject({
      code: 'machine.boot',
      message: expect.stringContaining('exited with 1'),
    })
    expect(await other.sweep(new Set())).toEqual([])
    expect(await bench.leftovers()).toEqual([])
  })

  it('is not promised where there is no such program', async () => {
    const opening = bench.openMonitor(bench.directory, { vsockPath: '/nowhere/vsock' })
    await expect(opening).rejects.toMatchObject({ kind: 'unsupported', code: 'qemu.vsock' })
  })
})
