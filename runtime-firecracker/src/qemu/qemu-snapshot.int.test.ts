import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { sandboxId } from '@aegis/core'
import {
  connectGuest,
  type GuestSession,
  locateGuest,
  locateLauncher,
  makeReseedProofs,
  type QuietGuest,
} from '@aegis/sandbox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeGuestDisk } from '../guest-disk.ts'
import type { GuestKernel, MachinePlan } from '../machine/machine-plan.ts'
import type { Machine, MachineSnapshot, Monitor } from '../machine/monitor.ts'
import { makeScratchDisk } from '../scratch-disk.ts'
import { hasQemu } from '../testing/bare-machine.ts'
import { makeHostImage } from '../testing/host-image.ts'
import { testKernel } from '../testing/test-kernel.ts'
import { openQemuMonitor } from './qemu-monitor.ts'

const buildDirectory = join(import.meta.dirname, '..', '..', '..', 'build')
const run = promisify(execFile)
const never = new AbortController().signal
const root = process.getuid?.() === 0
const uidRange = { first: 1_951_000_000, count: 4096 }
const user = { uid: 1000, gid: 1000 }
const env = { PATH: '/bin' }
const yesterday = () => Date.now() - 86_400_000

describe.skipIf(!(await hasQemu()))('a snapshot of a machine in QEMU', () => {
  const proofs = makeReseedProofs()
  let directory: string
  let kernel: GuestKernel
  let guestDisk: string
  let monitor: Monitor
  let snapshot: MachineSnapshot
  let quiet: QuietGuest
  let scratch: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-qemu-snapshot-'))
    const [found, guestPath] = await Promise.all([testKernel(), locateGuest({ buildDirectory })])
    kernel = found
    guestDisk = await makeGuestDisk(directory, guestPath, never)
    await makeHostImage(join(directory, 'image'), ['sh', 'cat', 'od', 'date'])
    monitor = await openMonitor(join(directory, 'state'))
    await makeTemplate()
  }, 120_000)

  afterAll(async () => {
    await monitor?.[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  async function makeTemplate() {
    const template = await plan('template', { forSnapshot: true })
    await using machine = await monitor.boot(template, never)
    const session = await connect(machine, { now: yesterday })
    const standby = await session.exec(
      {
        argv: [
          'sh',
          '-c',
          'echo before > kept; read task; echo $task; cat kept; echo $task > kept; cat kept; od -An -tx1 -N16 /dev/urandom; date +%s',
        ],
        env,
        cwd: '/workspace',
      },
      never,
    )
    void standby.exit
    quiet = JSON.parse(JSON.stringify(await session.quiesce(never)))
    snapshot = await machine.snapshot(await newDirectory('snapshot'), never)
    session.close()
    // Whoever makes a snapshot keeps the disk, too.
    scratch = join(directory, 'scratch-of-snapshot')
    await copyFile(template.disks.scratch.path, scratch)
    expect(machine.wire.destroyed).toBe(true)
  }

  async function plan(id: string, parts: Partial<MachinePlan> = {}): Promise<MachinePlan> {
    const path = join(directory, `${id}.scratch`)
    if (parts.forSnapshot) await makeScratchDisk(path, 16 << 20, never)
    else await copyFile(scratch, path)
    return {
      id: sandboxId(id),
      vcpus: 1,
      memoryBytes: 144 << 20,
      kernel,
      disks: {
        guest: { path: guestDisk, readOnly: true },
        image: { path: join(directory, 'image'), readOnly: true },
        scratch: { path, readOnly: false },
      },
      cpuMillicores: 1000,
      guest: { memoryBytes: 48 << 20, pids: 32, readOnly: false },
      forSnapshot: false,
      ...parts,
    }
  }

  const connect = (machine: Machine, more: object): Promise<GuestSession> =>
    connectGuest(
      machine.wire,
      {
        onConnect: (_target, stream) => stream.destroy(),
        outputLimitBytes: 1 << 20,
        helloTimeoutMs: 25_000,
        user,
        machine: { proofs, ...more },
      },
      never,
    )

  async function newDirectory(name: string): Promise<string> {
    const path = join(directory, name)
    await mkdir(path, { mode: 0o700 })
    return path
  }

  /** Processes, groups and directories of machines. */
  async function leftovers(): Promise<readonly string[]> {
    return [...(root ? await processesOfRange() : []), ...(await monitor.sweep(new Set()))]
  }

  it('is a small state and a sparse memory, which nobody may write to', async () => {
    const [state, memory] = await Promise.all([stat(snapshot.statePath), stat(snapshot.memoryPath)])
    const owner = process.getuid?.()
    for (const file of [state, memory])
      expect(file).toMatchObject({ mode: 0o100444, uid: owner, nlink: 1 })
    expect(state.size).toBeLessThan(1 << 20)
    expect(memory.size).toBe(144 << 20)
    expect(memory.blocks * 512).toBeLessThan(memory.size)
    expect(await leftovers()).toEqual([])
  })

  it('becomes machines that know nothing of each other, and does not change', async () => {
    const before = await digestOf(snapshot.memoryPath)
    const clones = await Promise.all(
      ['a', 'b'].map(async (id) => monitor.restore(snapshot, await plan(id), never)),
    )
    const random = new Set<string>()
    for (const [index, machine] of clones.entries()) {
      expect(Object.keys(machine.phases)).toEqual(['monitor', 'restore'])
      const session = await connect(machine, { restored: quiet })
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
    const refused = second?.snapshot(directory, never)
    await expect(refused).rejects.toMatchObject({ code: 'snapshot.unsupported' })
    expect(second?.wire.destroyed).toBe(false)
    await second?.[Symbol.asyncDispose]()
    expect(await digestOf(snapshot.memoryPath)).toBe(before)
    expect(await leftovers()).toEqual([])
  })

  it.each<[string, (kill: () => void, cancel: AbortController) => unknown, object]>([
    ['QEMU dies', (kill) => kill(), { code: 'snapshot.failed' }],
    [
      'its caller gives up',
      (_, cancel) => cancel.abort(new Error('changed my mind')),
      { message: 'changed my mind' },
    ],
  ])('is not made by halves when %s', async (name, act, error) => {
    const into = await newDirectory(name)
    const machine = await monitor.boot(await plan('half', { forSnapshot: true }), never)
    await rm(join(directory, 'half.scratch'))
    const cancel = new AbortController()
    const kill = await killer()
    const making = machine.snapshot(into, cancel.signal)
    act(kill, cancel)
    await expect(making).rejects.toMatchObject(error)
    expect(machine.wire.destroyed).toBe(true)
    expect(await readdir(into)).toEqual([])
    await machine[Symbol.asyncDispose]()
    expect(await leftovers()).toEqual([])
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
    const statePath = join(directory, name)
    await write(statePath)
    const made = await plan('bad')
    await expect(monitor.restore({ ...snapshot, statePath }, made, never)).rejects.toMatchObject({
      code: 'machine.boot',
      message: expect.stringContaining(words),
    })
    expect(await leftovers()).toEqual([])
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
    const statePath = join(directory, `${name} with a pipe`)
    await run('mkfifo', [statePath])
    const cancel = new AbortController()
    const made = await plan('middle')
    const restoring = monitor.restore({ ...snapshot, statePath }, made, cancel.signal)
    const refused = expect(restoring).rejects.toMatchObject(error)
    const pipe = await open(statePath, 'w')
    await pipe.write((await readFile(snapshot.statePath)).subarray(0, 4096))
    act(await killer(), cancel)
    await pipe.close()
    await refused
    expect(await leftovers()).toEqual([])
  })

  it.runIf(root)('asks for room for the memory before it begins', async () => {
    const small = await newDirectory('small')
    await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0700', 'tmpfs', small])
    try {
      await using other = await openMonitor(small)
      const booting = other.boot({ ...(await plan('large')), forSnapshot: true }, never)
      await expect(booting).rejects.toMatchObject({ kind: 'exhausted', code: 'machine.disk' })
      expect(await other.sweep(new Set())).toEqual([])
    } finally {
      await run('umount', [small])
    }
  })

  /** Kills what runs now, at once. */
  async function killer(): Promise<() => void> {
    const pids = await pidsOfRange()
    return () => {
      for (const pid of pids) process.kill(pid, 'SIGKILL')
    }
  }
})

async function openMonitor(stateDirectory: string): Promise<Monitor> {
  const launcherPath = await locateLauncher({ buildDirectory })
  // One from 8.2 on needs no copy of the memory for each machine.
  const { AEGIS_QEMU: qemuPath } = process.env
  const options = { stateDirectory, launcherPath, kvm: false, uidRange }
  return openQemuMonitor({ ...options, ...(qemuPath && { qemuPath }) }, never)
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

async function pidsOfRange(): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const statuses = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')),
  )
  return pids.filter((_, index) => {
    const status = statuses[index] ?? ''
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    // One that ended and whom nobody has buried yet is none.
    return (
      !/^State:\s+Z/m.test(status) && uid >= uidRange.first && uid < uidRange.first + uidRange.count
    )
  })
}

const processesOfRange = async (): Promise<readonly string[]> =>
  (await pidsOfRange()).map((pid) => `process ${pid}`)
