import { execFile } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sandboxId } from '@aegis/core'
import { connectGuest, locateGuest, locateLauncher } from '@aegis/sandbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { MachinePlan } from '../machine/machine-plan.ts'
import type { Monitor } from '../machine/monitor.ts'
import type { FakeMishap, FakeVmmPlan } from '../testing/fake-vmm-plan.ts'
import { makeFakeVmm } from '../testing/make-fake-vmm.ts'
import { type FirecrackerMonitorOptions, openFirecrackerMonitor } from './firecracker-monitor.ts'

const run = promisify(execFile)
const never = new AbortController().signal
const root = process.getuid?.() === 0
const buildDirectory = join(import.meta.dirname, '..', '..', '..', 'build')
const launcherPath = await locateLauncher({ buildDirectory })
const uidRange = { first: 1_950_000_000, count: 4096 }

interface Bench {
  readonly monitor: Monitor
  readonly directory: string
  plan(id?: string): Promise<MachinePlan>
  /** What is left on the host of machines: processes, groups, jails. */
  leftovers(): Promise<readonly string[]>
}

async function bench(
  double: Partial<FakeVmmPlan> = {},
  options: Partial<FirecrackerMonitorOptions> = {},
): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-fc-'))
  const vmm = await makeFakeVmm(join(directory, 'bin'), double)
  const stateDirectory = join(directory, 'state')
  const monitor = await openFirecrackerMonitor(
    { ...vmm, stateDirectory, launcherPath, uidRange, ...options },
    never,
  )
  onTestFinished(async () => {
    await monitor.sweep(new Set())
    await monitor[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })
  const file = async (name: string, mode = 0o644) => {
    const path = join(directory, name)
    await writeFile(path, name, { mode })
    return path
  }
  return {
    monitor,
    directory,
    async plan(id = `vm-${process.pid}`) {
      return {
        id: sandboxId(id),
        vcpus: 1,
        memoryBytes: 64 << 20,
        kernel: { path: await file('vmlinux'), digest: '', arguments: [] },
        disks: {
          guest: { path: await file('guest.erofs'), readOnly: true },
          image: { path: await file('image.erofs'), readOnly: true },
          scratch: { path: await file(`${id}.scratch`, 0o600), readOnly: false },
        },
        cpuMillicores: 1000,
        guest: { memoryBytes: 32 << 20, pids: 16, readOnly: false },
        forSnapshot: false,
      }
    },
    async leftovers() {
      const jails = await readdir(join(stateDirectory, 'jails', 'firecracker'))
      return [...jails.map((name) => `jail ${name}`), ...(await processesOfRange())]
    },
  }
}

async function processesOfRange(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const statuses = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')),
  )
  return statuses.flatMap((status) => {
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    // One that ended and whom nobody has buried yet is none.
    if (/^State:\s+Z/m.test(status)) return []
    const ours = uid >= uidRange.first && uid < uidRange.first + uidRange.count
    return ours ? [`process ${/^Name:\s+(.+)$/m.exec(status)?.[1]}`] : []
  })
}

describe.skipIf(!root)('with a double of Firecracker and its jailer', () => {
  it('boots a machine whose guest has the wire, and leaves nothing of it', async () => {
    const { monitor, plan, leftovers, directory } = await bench()
    const machine = await monitor.boot(await plan(), never)
    machine.wire.write('hello')
    expect(String((await once(machine.wire, 'data'))[0])).toBe('hello')
    expect(await machine.residentBytes()).toBeGreaterThan(1 << 20)
    expect(Object.keys(machine.phases)).toEqual(['monitor', 'kernel'])
    const [jailed] = await readdir(join(directory, 'state', 'jails', 'firecracker'))
    const root = join(directory, 'state', 'jails', 'firecracker', jailed ?? '', 'root')
    const { uid, gid } = await stat(root)
    expect(uid).toBeGreaterThanOrEqual(uidRange.first)
    expect(gid).toBe(uid)
    // The same files as outside: nothing was copied, and what is only read is not the machine's.
    for (const [name, owner] of Object.entries({ kernel: 0, guest: 0, image: 0, scratch: uid }))
      expect(await stat(join(root, name))).toMatchObject({ nlink: 2, uid: owner })
    expect(await groupsOf(root)).toContain('aegis')
    await machine[Symbol.asyncDispose]()
    expect(await machine.ended).toMatchObject({ outOfMemory: false })
    expect(await leftovers()).toEqual([])
  })

  it('gives machines that run at the same time a user and a group each, which come back', async () => {
    const { monitor, plan, directory } = await bench({}, { patience: 4 })
    const ids = ['a', 'b', 'c']
    const machines = await Promise.all(ids.map(async (id) => monitor.boot(await plan(id), never)))
    const owners = ids.map(async (id) => {
      const { uid, gid } = await stat(
        join(directory, 'state', 'jails', 'firecracker', id, 'root', 'scratch'),
      )
      expect(gid).toBe(uid)
      return uid
    })
    expect(new Set(await Promise.all(owners)).size).toBe(3)
    for (const machine of machines) await machine[Symbol.asyncDispose]()
  })

  it('runs a real guest behind the socket of the vsock device', async () => {
    const guest = await locateGuest({ buildDirectory })
    const { monitor, plan, leftovers } = await bench({ guest: [guest] })
    const machine = await monitor.boot(await plan(), never)
    const session = await connectGuest(
      machine.wire,
      { onConnect: (_, stream) => stream.destroy(), outputLimitBytes: 1 << 20 },
      never,
    )
    const command = { argv: ['/bin/echo', 'from a guest'], env: {}, cwd: '/' } as const
    const process = await session.exec(command, never)
    const said = await Array.fromAsync(process.stdout)
    expect(Buffer.concat(said).toString()).toBe('from a guest\n')
    session.close()
    expect(await machine.ended).toMatchObject({ reason: 'The machine ended' })
    await machine[Symbol.asyncDispose]()
    expect(await leftovers()).toEqual([])
  })

  it.each<[string, Partial<FakeVmmPlan>, string, boolean?]>([
    [
      'the jailer fails',
      { jailerFails: 'Failed to pivot root: ouch' },
      'Failed to pivot root: ouch',
    ],
    ['the API never comes up', { silent: true }, 'did not come up', true],
    ['the kernel is refused', at('PUT /boot-source', refusal), 'it has a fault'],
    [
      'Firecracker dies while it is configured',
      at('PUT /drives/image', { kind: 'die' }),
      'PUT /drives',
    ],
    [
      'Firecracker hangs while it is configured',
      at('PUT /vsock', { kind: 'hang' }),
      'PUT /vsock within',
    ],
    ['Firecracker dies at the start', at('PUT /actions', { kind: 'die' }), 'PUT /actions'],
    ['Firecracker babbles', at('GET /version', { kind: 'flood', bytes: 1 << 20 }), 'longer than'],
    ['the guest never calls', { guest: 'none' }, 'did not come up', true],
  ])('leaves nothing behind when %s', async (_, double, words, waits = false) => {
    const { monitor, plan, leftovers } = await bench(double, { patience: waits ? 0.2 : 1 })
    await expect(monitor.boot(await plan(), never)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'machine.boot',
      message: expect.stringContaining(words),
    })
    expect(await leftovers()).toEqual([])
  })

  it('leaves nothing behind when its caller gives up', async () => {
    const { monitor, plan, leftovers } = await bench({ guest: 'none' })
    const cancel = new AbortController()
    const booting = monitor.boot(await plan(), cancel.signal)
    cancel.abort(new Error('changed my mind'))
    await expect(booting).rejects.toThrow('changed my mind')
    expect(await leftovers()).toEqual([])
  })

  it('leaves nothing behind when the disk is full while a jail is filled', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'aegis-fc-full-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', directory])
    onTestFinished(async () => void (await run('umount', [directory])))
    const { monitor, plan } = await bench({}, { chrootBase: directory })
    const small = await plan()
    await truncate(small.kernel.path, 1 << 20)
    await expect(monitor.boot(small, never)).rejects.toThrow('ENOSPC')
    expect(await readdir(join(directory, 'firecracker'))).toEqual([])
    expect(await processesOfRange()).toEqual([])
  })

  it('kills a monitor that does not answer any more, and tells why', async () => {
    const { monitor, plan, leftovers } = await bench(
      { answersToGet: 1 },
      { overwatch: { everyMs: 20, misses: 1 }, patience: 1 },
    )
    const machine = await monitor.boot(await plan(), never)
    expect(await machine.ended).toMatchObject({
      reason: expect.stringContaining('Firecracker was killed, since it does not answer any more'),
    })
    await machine[Symbol.asyncDispose]()
    expect(await leftovers()).toEqual([])
  })

  it('makes a snapshot, and machines of it whose wires are dialled again', async () => {
    const { monitor, plan, directory, leftovers } = await bench()
    const template = await monitor.boot(await plan('template'), never)
    const cut = once(template.wire, 'close')
    await mkdir(join(directory, 'snapshot'))
    const snapshot = await template.snapshot(join(directory, 'snapshot'), never)
    await cut
    await template[Symbol.asyncDispose]()
    // Nobody can write to it any more, and others than its owner may read it in their jails.
    expect(await stat(snapshot.memoryPath)).toMatchObject({
      mode: 0o100444,
      size: 64 << 20,
      uid: 0,
    })
    const clones = await Promise.all(
      ['a', 'b'].map(async (id) => monitor.restore(snapshot, await plan(id), never)),
    )
    for (const clone of clones) {
      clone.wire.write('again')
      expect(String((await once(clone.wire, 'data'))[0])).toBe('again')
      await clone[Symbol.asyncDispose]()
    }
    expect(await leftovers()).toEqual([])
  })

  it.each<[string, FakeMishap, string]>([
    [
      'the disk is full',
      { kind: 'refuse', words: 'No space left on device (os error 28)' },
      'No space left',
    ],
    ['Firecracker dies', { kind: 'die' }, ''],
  ])('leaves no half a snapshot when %s', async (_, mishap, words) => {
    const { monitor, plan, directory, leftovers } = await bench(at('PUT /snapshot/create', mishap))
    const machine = await monitor.boot(await plan(), never)
    await mkdir(join(directory, 'snapshot'))
    const making = machine.snapshot(join(directory, 'snapshot'), never)
    await expect(making).rejects.toThrow(words)
    expect(await readdir(join(directory, 'snapshot'))).toEqual([])
    // Its wire counts as lost even though the call was refused.
    expect(machine.wire.destroyed).toBe(true)
    await machine[Symbol.asyncDispose]()
    expect(await leftovers()).toEqual([])
  })

  it('restores nothing from files that are no snapshot, and leaves nothing behind', async () => {
    const { monitor, plan, directory, leftovers } = await bench()
    const made = await plan()
    const bad = join(directory, 'bad')
    await writeFile(bad, 'no snapshot')
    const snapshot = { plan: made, statePath: bad, memoryPath: bad }
    await expect(monitor.restore(snapshot, made, never)).rejects.toThrow('Load snapshot error')
    expect(await leftovers()).toEqual([])
  })

  it('sweeps what a daemon left that was killed', async () => {
    const { monitor, plan, directory } = await bench()
    const machine = await monitor.boot(await plan('orphan'), never)
    const stateDirectory = join(directory, 'state')
    const vmm = await makeFakeVmm(join(directory, 'bin'))
    await using next = await openFirecrackerMonitor(
      { ...vmm, stateDirectory, launcherPath, uidRange },
      never,
    )
    expect(await next.sweep(new Set([sandboxId('orphan')]))).toEqual([])
    const removed = await next.sweep(new Set())
    expect(removed.join()).toMatch(/cgroup .*orphan.*jail .*orphan/)
    await machine.ended
    expect(await processesOfRange()).toEqual([])
    await machine[Symbol.asyncDispose]()
  })

  it('makes no more jails at a time than it is told', async () => {
    const slow = at('PUT /logger', { kind: 'slow', ms: 100 })
    const { monitor, plan } = await bench(slow, { startsAtOnce: 1 })
    const booted: number[] = []
    const machines = await Promise.all(
      ['a', 'b'].map(async (id) => {
        const machine = await monitor.boot(await plan(id), never)
        booted.push(machine.phases.monitor ?? 0)
        return machine
      }),
    )
    // The second one waited for as long as the first one took.
    expect(Math.max(...booted)).toBeGreaterThan(Math.min(...booted) + 100)
    for (const machine of machines) await machine[Symbol.asyncDispose]()
  })
})

describe.skipIf(!root)('opening', () => {
  const options = async (double: Partial<FakeVmmPlan>) => {
    const directory = await mkdtemp(join(tmpdir(), 'aegis-fc-open-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const vmm = await makeFakeVmm(join(directory, 'bin'), double)
    return { ...vmm, stateDirectory: join(directory, 'state'), launcherPath, uidRange }
  }

  it.each([
    ['an old one', { version: '1.15.1' }, 'Install 1.16.1 or newer'],
    ['one whose jailer is another', { jailerVersion: '1.16.2' }, 'Install both from one release'],
  ])('refuses %s', async (_, double, words) => {
    const opening = openFirecrackerMonitor(await options(double), never)
    await expect(opening).rejects.toMatchObject({
      code: 'firecracker.version',
      message: expect.stringContaining(words),
    })
  })

  it('says how to get a Firecracker that is not there', async () => {
    const opening = openFirecrackerMonitor(
      { ...(await options({})), firecrackerPath: '/nowhere/firecracker' },
      never,
    )
    await expect(opening).rejects.toMatchObject({
      code: 'firecracker.absent',
      message: expect.stringContaining('spec.runtime.firecracker.firecracker_path'),
    })
  })

  it('runs nothing without a jailer', async () => {
    const opening = openFirecrackerMonitor(
      { ...(await options({})), jailerPath: '/nowhere/jailer' },
      never,
    )
    await expect(opening).rejects.toMatchObject({
      code: 'firecracker.absent',
      message: expect.stringContaining('/nowhere/jailer'),
    })
  })

  it('names its version, the processor and the kernel of the host for snapshots to depend on', async () => {
    await using monitor = await openFirecrackerMonitor(await options({}), never)
    const { snapshotClass } = monitor
    expect(snapshotClass).toMatch(/^firecracker 1\.16\.1, .+, Linux \S+$/)
    expect(snapshotClass).toContain(release())
  })

  it('is looked over by the doctor with the place of its jails', async () => {
    await using monitor = await openFirecrackerMonitor(await options({}), never)
    const findings = await monitor.diagnose(never)
    expect(findings.map(({ name, state }) => `${name} ${state}`)).toContain('jails ok')
  })

  it('makes no jails where others may write', async () => {
    const given = await options({})
    const chrootBase = join(given.stateDirectory, 'open')
    await mkdir(chrootBase, { recursive: true })
    await chmod(chrootBase, 0o777)
    const opening = openFirecrackerMonitor({ ...given, chrootBase }, never)
    await expect(opening).rejects.toMatchObject({ code: 'jail.base' })
  })
})

const refusal: FakeMishap = { kind: 'refuse', words: 'it has a fault' }

function at(request: string, mishap: FakeMishap): Partial<FakeVmmPlan> {
  return { at: { [request]: mishap } }
}

/** The cgroups of the first process that has this for its working directory. */
async function groupsOf(root: string): Promise<string> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
    if (cwd === root) return readFile(`/proc/${pid}/cgroup`, 'utf8')
  }
  return ''
}
