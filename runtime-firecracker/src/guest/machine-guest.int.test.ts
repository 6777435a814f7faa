import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connectGuest, type GuestSession, locateGuest, makeReseedProofs } from '@aegis/sandbox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeGuestDisk } from '../guest-disk.ts'
import type { GuestKernel } from '../machine/machine-plan.ts'
import { makeScratchDisk } from '../scratch-disk.ts'
import { type BareMachine, hasQemu, startBareMachine } from '../testing/bare-machine.ts'
import { makeHostImage } from '../testing/host-image.ts'
import { testKernel } from '../testing/test-kernel.ts'

const never = new AbortController().signal
const programs = [
  'sh',
  'cat',
  'dd',
  'head',
  'id',
  'ls',
  'od',
  'sleep',
  'date',
  'touch',
  'mkdir',
  'rm',
]
const user = { uid: 1000, gid: 1000 }
const env = { PATH: '/bin' }
/** A clock that is a day old, as for a machine that a snapshot is to be made of. */
const yesterday = () => Date.now() - 86_400_000

describe.skipIf(!(await hasQemu()))('the guest as the first process of a machine', () => {
  const proofs = makeReseedProofs()
  let directory: string
  let kernel: GuestKernel
  let guestDisk: string
  let machines = 0

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-machine-'))
    const buildDirectory = join(import.meta.dirname, '..', '..', '..', 'build')
    const [found, guestPath] = await Promise.all([testKernel(), locateGuest({ buildDirectory })])
    kernel = found
    guestDisk = await makeGuestDisk(directory, guestPath, never)
    await makeHostImage(join(directory, 'image'), programs)
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  async function start(
    parts: { image?: string; scratch?: string; from?: string; readOnly?: boolean } = {},
  ): Promise<BareMachine> {
    const own = join(directory, `${++machines}`)
    await mkdir(own)
    const scratch = join(own, 'scratch')
    if (parts.scratch === undefined) await makeScratchDisk(scratch, 16 << 20, never)
    else await copyFile(parts.scratch, scratch)
    return startBareMachine({
      directory: own,
      kernel,
      disks: [guestDisk, parts.image ?? join(directory, 'image'), scratch],
      guest: { readOnly: parts.readOnly ?? false },
      ...(parts.from !== undefined && { from: parts.from }),
    })
  }

  const open = (machine: BareMachine, more: object = {}): Promise<GuestSession> =>
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

  async function shell(session: GuestSession, line: string) {
    const command = await session.exec({ argv: ['sh', '-c', line], env, cwd: '/workspace' }, never)
    command.closeStdin()
    const [out, exit] = await Promise.all([text(Readable.from(command.stdout)), command.exit])
    return { out, code: exit.code, cause: exit.cause }
  }

  describe('that was booted', () => {
    let machine: BareMachine
    let session: GuestSession

    beforeAll(async () => {
      machine = await start()
      session = await open(machine)
    })
    afterAll(() => machine[Symbol.asyncDispose]())

    it('gives commands a world of their own, as another user', async () => {
      const { out } = await shell(
        session,
        'id -u; cat /proc/sys/kernel/hostname /etc/resolv.conf; touch /workspace/a /tmp/b && echo ok',
      )
      expect(out).toBe('1000\nsandbox\nnameserver 127.0.0.1\noptions timeout:2 attempts:1\nok\n')
    })

    it('shows no disk, no port and no memory in /dev', async () => {
      const { out } = await shell(session, 'ls /dev')
      expect(out.split('\n').filter(Boolean).sort()).toEqual(
        ['fd', 'full', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout'].concat([
          'tty',
          'urandom',
          'zero',
        ]),
      )
    })

    it('keeps the kernel’s files from being written, whoever tries', async () => {
      const { out } = await shell(session, 'cat /proc/self/mountinfo')
      const flagsAt = new Map(
        out.split('\n').map((line) => [line.split(' ')[4], line.split(' ')[5]]),
      )
      for (const path of ['/', '/sys', '/sys/fs/cgroup', '/proc/sys', '/dev'])
        expect(flagsAt.get(path), path).toMatch(/^ro,/)
      for (const path of ['/workspace', '/tmp', '/dev/shm'])
        expect(flagsAt.get(path), path).toMatch(/^rw,nosuid,nodev/)
    })

    it('sets its clock to the host’s', async () => {
      const { out } = await shell(session, 'date +%s')
      expect(Math.abs(Number(out) - Date.now() / 1000)).toBeLessThan(10)
    })

    it('tells which limit struck', async () => {
      const line = 'i=0; while [ $i -lt 40 ]; do sleep 9 & i=$((i+1)); done'
      expect(await shell(session, line)).toMatchObject({ cause: 'pids_limit' })
      const disk = await shell(session, 'dd if=/dev/zero of=big bs=64k 2>/dev/null')
      expect(disk).toMatchObject({ code: 1, cause: 'disk_limit' })
      expect(await shell(session, 'rm big; echo x > /tmp/x')).toMatchObject({ code: 0 })
    })

    it('counts what commands use and not what it uses itself', async () => {
      const stats = await session.stats(never)
      expect(stats.pids).toBe(0)
      expect(stats.memoryPeakBytes).toBeGreaterThan(1 << 20)
      expect(stats.memoryPeakBytes).toBeLessThanOrEqual(48 << 20)
    })

    // Nightly: where instructions are emulated, a kernel takes ten seconds to find that it has no memory.
    it.skipIf(!process.env.AEGIS_NIGHTLY)('tells that memory was used up', async () => {
      const memory = await shell(session, 'dd if=/dev/zero of=/dev/shm/big bs=1M 2>/dev/null')
      expect(memory).toMatchObject({ cause: 'memory_limit' })
    })

    it('is not ready for a snapshot while somebody works', async () => {
      const busy = await session.exec(
        { argv: ['sh', '-c', 'sleep 1000 & sleep 1000'], env, cwd: '/' },
        never,
      )
      const second = await session.exec({ argv: ['cat'], env, cwd: '/' }, never)
      await expect(session.quiesce(never)).rejects.toMatchObject({
        code: 'guest.busy',
        details: { step: 'channels' },
      })
      busy.kill('KILL')
      second.kill('KILL')
      await Promise.all([busy.exit, second.exit])
    })

    it('ends the machine when the wire ends', async () => {
      session.close()
      expect(await machine.exited).toBe(0)
    })
  })

  it('keeps commands from writing a read-only workspace, and not the host', async () => {
    await using machine = await start({ readOnly: true })
    const session = await open(machine)
    await session.writeFiles(
      [{ path: '/workspace/in', content: Buffer.from('from outside') }],
      never,
    )
    const { out, code } = await shell(session, 'cat in; echo x > in || echo x > new')
    expect(out).toBe('from outside')
    expect(code).not.toBe(0)
    session.close()
  })

  it('says on the console why it cannot boot, and ends the machine', async () => {
    const image = join(directory, 'zeros')
    await writeFile(image, '')
    await truncate(image, 1 << 20)
    await using machine = await start({ image })
    expect(await machine.exited).toBe(0)
    expect(await machine.words()).toContain('aegis-guest: mounting the image /dev/vdb: EINVAL')
  })

  describe('that comes out of a snapshot', () => {
    const state = () => join(directory, 'state')
    const scratch = () => join(directory, 'scratch-of-snapshot')
    let quiet: Awaited<ReturnType<GuestSession['quiesce']>>
    const drawn = new Set<string>()

    beforeAll(async () => {
      await using template = await start()
      const session = await open(template, { now: yesterday })
      await shell(session, 'echo before > kept')
      const standby = await session.exec(
        {
          argv: ['sh', '-c', 'read task; echo $task; od -An -tx1 -N16 /dev/urandom; date +%s'],
          env,
          cwd: '/workspace',
        },
        never,
      )
      void standby.exit
      quiet = JSON.parse(JSON.stringify(await session.quiesce(never)))
      await template.saveTo(state())
      await copyFile(join(directory, `${machines}`, 'scratch'), scratch())
      session.close()
    })

    it.each([1, 2])('goes on as somebody else, with its own numbers and time (%i)', async (n) => {
      await using machine = await start({ from: state(), scratch: scratch() })
      const session = await open(machine, { restored: quiet })
      const { standby } = session
      if (!standby) throw new Error('nobody stands by')
      await standby.writeStdin(Buffer.from(`task ${n}\n`))
      const [task, random, seconds] = (await text(Readable.from(standby.stdout))).split('\n')
      expect(task).toBe(`task ${n}`)
      expect(drawn.has(random ?? '')).toBe(false)
      drawn.add(random ?? '')
      expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(10)
      expect(await standby.exit).toMatchObject({ code: 0 })
      expect((await shell(session, 'cat kept')).out).toBe('before\n')
      session.close()
      expect(await machine.exited).toBe(0)
    })

    it('answers to nobody but who wakes it', async () => {
      await using machine = await start({ from: state(), scratch: scratch() })
      // Who takes it for a machine that boots waits for its hello until he gives up.
      const ping = Buffer.concat([Buffer.from([4, 0, 0, 8, 0, 0, 0, 0]), Buffer.alloc(8)])
      machine.wire.write(ping)
      expect(await machine.exited).toBe(0)
      expect(await machine.words()).toContain('a frame before RESUME')
    })
  })

  it('leaves the image as it was', async () => {
    const fresh = join(directory, 'image-again')
    await makeHostImage(fresh, programs)
    expect(await readFile(join(directory, 'image'))).toEqual(await readFile(fresh))
  })
})
