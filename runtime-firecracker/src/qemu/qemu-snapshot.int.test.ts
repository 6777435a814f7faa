import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { QuietGuest } from '@aegis/sandbox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MachineSnapshot } from '../machine/monitor.ts'
import { hasQemu } from '../testing/bare-machine.ts'
import { openQemuBench, type QemuBench } from '../testing/qemu-bench.ts'

const run = promisify(execFile)
const never = new AbortController().signal
const root = process.getuid?.() === 0
const env = { PATH: '/bin' }
const yesterday = () => Date.now() - 86_400_000
/** Waits for a task, and tells what its machine is. */
const waiting =
  'echo before > kept; read task; echo $task; cat kept; echo $task > kept; cat kept; od -An -tx1 -N16 /dev/urandom; date +%s'

describe.skipIf(!(await hasQemu()))('a snapshot of a machine in QEMU', () => {
  let bench: QemuBench
  let snapshot: MachineSnapshot
  let quiet: QuietGuest
  let scratch: string

  beforeAll(async () => {
    bench = await openQemuBench(1_951_000_000, ['sh', 'cat', 'od', 'date'])
    await makeTemplate()
  }, 120_000)
  afterAll(() => bench?.[Symbol.asyncDispose]())

  async function makeTemplate() {
    const template = await bench.plan('template', { forSnapshot: true })
    await using machine = await bench.monitor.boot(template, never)
    const session = await bench.connect(machine, { now: yesterday })
    const argv = ['sh', '-c', waiting] as const
    const standby = await session.exec({ argv, env, cwd: '/workspace' }, never)
    void standby.exit
    quiet = JSON.parse(JSON.stringify(await session.quiesce(never)))
    snapshot = await machine.snapshot(await bench.newDirectory('snapshot'), never)
    session.close()
    // Whoever makes a snapshot keeps the disk, too.
    scratch = join(bench.directory, 'scratch-of-snapshot')
    await copyFile(template.disks.scratch.path, scratch)
    expect(machine.wire.destroyed).toBe(true)
  }

  /** The machine that comes out of the snapshot. */
  async function plan(id: string) {
    const scratchPath = join(bench.directory, `${id}.scratch`)
    await copyFile(scratch, scratchPath)
    return bench.plan(id, { scratchPath })
  }

  it('is a small state and a sparse memory, which nobody may write to', async () => {
    const [state, memory] = await Promise.all([stat(snapshot.statePath), stat(snapshot.memoryPath)])
    const owner = process.getuid?.()
    for (const file of [state, memory])
      expect(file).toMatchObject({ mode: 0o100444, uid: owner, nlink: 1 })
    expect(state.size).toBeLessThan(1 << 20)
    expect(memory.size).toBe(144 << 20)
    expect(memory.blocks * 512).toBeLessThan(memory.size)
    expect(await bench.leftovers()).toEqual([])
  })

  it('becomes machines that know nothing of each other, and does not change', async () => {
    const before = await digestOf(snapshot.memoryPath)
    const clones = await Promise.all(
      ['a', 'b'].map(async (id) => bench.monitor.restore(snapshot, await plan(id), never)),
    )
    const random = new Set<string>()
    for (const [index, machine] of clones.entries()) {
      expect(Object.keys(machine.phases)).toEqual(['monitor', 'restore'])
      const session = await bench.connect(machine, { restored: quiet })
      const { standby } = session
      if (!standby) throw new Error('nobody stands by')
      await standby.writeStdin(Buffer.from(`task ${index}\n`))
      const said = (await text(Readable.from(standby.stdout))).split('\n')
      expect(said.slice(0, 3)).toEqual([`task ${index}`, 'before', `task ${index}`])
      random.add(said[3] ?? '')
      expect(Math.abs(Number(said[4]) - Date.now() / 1000)).toBeLessThan(10)
      expect(await standby.exit).toMatchObject({ code: 0 })
      expect(await machine.residentBytes()).toBeGreaterThan(16 << 20)
    }
    expect(random.size).toBe(2)
    const [first, second] = clones
    await first?.[Symbol.asyncDispose]()
    // It has no file for a memory, and goes on.
    const refused = second?.snapshot(bench.directory, never)
    await expect(refused).rejects.toMatchObject({ code: 'snapshot.unsupported' })
    expect(second?.wire.destroyed).toBe(false)
    await second?.[Symbol.asyncDispose]()
    expect(await digestOf(snapshot.memoryPath)).toBe(before)
    expect(await bench.leftovers()).toEqual([])
  })

  it.each<[string, (kill: () => void, cancel: AbortController) => unknown, object]>([
    ['QEMU dies', (kill) => kill(), { code: 'snapshot.failed' }],
    [
      'its caller gives up',
      (_, cancel) => cancel.abort(new Error('changed my mind')),
      { message: 'changed my mind' },
    ],
  ])('is not made by halves when %s', async (name, act, error) => {
    const into = await bench.newDirectory(name)
    const machine = await bench.monitor.boot(await bench.plan('half', { forSnapshot: true }), never)
    await rm(join(bench.directory, 'half.scratch'))
    const cancel = new AbortController()
    const kill = await bench.killer()
    const making = machine.snapshot(into, cancel.signal)
    act(kill, cancel)
    await expect(making).rejects.toMatchObject(error)
    expect(machine.wire.destroyed).toBe(true)
    expect(await readdir(into)).toEqual([])
    await machine[Symbol.asyncDispose]()
    expect(await bench.leftovers()).toEqual([])
  })

  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['no state', (path) => writeFile(path, randomBytes(65_536)), 'Not a migration stream'],
    [
      'half a state',
      async (path) => {
        const state = await readFile(snapshot.statePath)
        await writeFile(path, state.subarray(0, state.length / 2))
      },
      'load of migration failed',
    ],
    [
      'more than a state',
      async (path) => {
        await writeFile(path, '')
        await truncate(path, 17 << 20)
      },
      'more than 16777216 bytes',
    ],
  ])('becomes no machine out of %s', async (name, write, words) => {
    const statePath = join(bench.directory, name)
    await write(statePath)
    const made = await plan('bad')
    await expect(
      bench.monitor.restore({ ...snapshot, statePath }, made, never),
    ).rejects.toMatchObject({
      code: 'machine.boot',
      message: expect.stringContaining(words),
    })
    expect(await bench.leftovers()).toEqual([])
  })

  it.each<[string, (kill: () => void, cancel: AbortController) => unknown, object]>([
    ['QEMU dies', (kill) => kill(), { code: 'machine.boot' }],
    [
      'its caller gives up',
      (_, cancel) => cancel.abort(new Error('changed my mind')),
      { message: 'changed my mind' },
    ],
  ])('leaves nothing of a machine when %s in the middle of its state', async (name, act, error) => {
    // Whoever opens it to read waits for us.
    const statePath = join(bench.directory, `${name} with a pipe`)
    await run('mkfifo', [statePath])
    const cancel = new AbortController()
    const made = await plan('middle')
    const restoring = bench.monitor.restore({ ...snapshot, statePath }, made, cancel.signal)
    const refused = expect(restoring).rejects.toMatchObject(error)
    const pipe = await open(statePath, 'w')
    await pipe.write((await readFile(snapshot.statePath)).subarray(0, 4096))
    act(await bench.killer(), cancel)
    await pipe.close()
    await refused
    expect(await bench.leftovers()).toEqual([])
  })

  it.runIf(root)('asks for room for the memory before it begins', async () => {
    const small = await bench.newDirectory('small')
    await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0700', 'tmpfs', small])
    try {
      await using other = await bench.openMonitor(small)
      const booting = other.boot({ ...(await plan('large')), forSnapshot: true }, never)
      await expect(booting).rejects.toMatchObject({ kind: 'exhausted', code: 'machine.disk' })
      expect(await other.sweep(new Set())).toEqual([])
    } finally {
      await run('umount', [small])
    }
  })
})

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}
