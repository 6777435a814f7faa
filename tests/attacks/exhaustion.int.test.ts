import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hostKinds } from '../contract/hosts/host-kinds.ts'
import { MiB, never, openHostScene } from '../contract/hosts/host-scene.ts'
import { describeOnHosts } from '../contract/hosts/sandbox-host.ts'
import type { SpecOverrides } from '../contract/sandbox-driver.ts'
import { type AttackBox, compilePayload, openAttackBox, shareAttackBox } from './attack-box.ts'

describeOnHosts(hostKinds, 'the host survives', (kind) => {
  const scene = openHostScene(kind)
  let bomb: Uint8Array
  beforeAll(async () => {
    bomb = await compilePayload('bomb')
  })

  const arm = (limits: SpecOverrides['limits'] = {}) =>
    openAttackBox(
      scene.host,
      { limits: { memoryBytes: 96 * MiB, diskBytes: 32 * MiB, pids: 64, ...limits } },
      { bomb },
    )

  const expectUsable = async (box: AttackBox) => {
    const { stdout, exit } = await box.sh('echo alive')
    expect([stdout.toString(), exit.code]).toEqual(['alive\n', 0])
  }

  /** Where the sandbox outlives it at all; else it was the kernel of the host that drew the line. */
  const expectWithin = async (box: AttackBox, bytes: number) => {
    if (!kind.outlivesLimits) return
    expect((await box.sandbox.stats(never)).memoryPeakBytes).toBeLessThanOrEqual(bytes)
  }

  describe('memory bombs, which are told as memory_limit:', () => {
    afterEach(() => scene.host.tidy())
    it.each([
      'memory',
      'shared_segments',
      'memory_files',
      'socket_buffers',
      'pipes',
    ])('%s', async (name) => {
      const box = await arm()
      const { exit } = await box.run('bomb', name)
      expect(exit.cause).toBe('memory_limit')
      await expectWithin(box, 96 * MiB)
    })

    it.runIf(kind.outlivesLimits)('and the guest outlives them', async () => {
      const box = await arm()
      await box.run('bomb', 'memory')
      await expectUsable(box)
    })
  })

  describe('process bombs, which are told as pids_limit:', () => {
    afterEach(() => scene.host.tidy())
    it.each(['forks_once_refused', 'threads'])('%s', async (name) => {
      const box = await arm()
      const { exit } = await box.run('bomb', name)
      if (kind.outlivesLimits) expect(exit).toMatchObject({ code: 1, cause: 'pids_limit' })
      else expect(exit.code).not.toBe(0)
    })

    it('one that never gives up, until it is killed', async () => {
      const box = await arm()
      const running = await box.sandbox.exec(
        { argv: ['/workspace/bomb', 'forks'], env: {}, cwd: '/' },
        never,
      )
      if (!kind.outlivesLimits) {
        // Whichever limit gVisor's kernel meets first.
        expect(await box.sandbox.ended).toMatch(/^(pids_limit|memory_limit|sandbox_lost)$/)
        return
      }
      while ((await box.sandbox.stats(never)).pids < 60);
      running.kill('KILL')
      await running.exit
      await box.sandbox[Symbol.asyncDispose]()
    })

    it('zombies, which the guest buries', async () => {
      // An emulated processor takes a millisecond for a fork, whoever buries what comes of it.
      const zombies = Math.ceil(20_000 / kind.slowness)
      const box = await arm()
      const { exit } = await box.run('bomb', 'zombies', kind.outlivesLimits ? `${zombies}` : '1000')
      expect(exit.code === 0 || exit.cause === 'pids_limit').toBe(true)
      await expectUsable(box)
      expect((await box.sandbox.stats(never)).pids).toBeLessThan(8)
    })
  })

  describe('disk bombs, which are told as disk_limit:', () => {
    describe('in what has a size', () => {
      afterEach(() => scene.host.tidy())

      it.each(['/workspace', '/tmp', '/dev/shm'])('%s', async (path) => {
        const box = await arm()
        const { exit, stderr } = await box.sh('head -c 100000000 /dev/zero > "$1/fill"', path)
        expect(stderr.toString()).toContain('No space left on device')
        expect(exit.cause).toBe('disk_limit')
        await expectUsable(box)
      })

      it.each([
        'tiny_files',
        'deep_directories',
      ])('inodes cost memory, and that is limited: %s', async (name) => {
        const box = await arm({ memoryBytes: 48 * MiB })
        const { exit } = await box.run('bomb', name)
        expect(exit.code).not.toBe(0)
        expect(['memory_limit', 'disk_limit', undefined]).toContain(exit.cause)
        await expectWithin(box, 48 * MiB)
      })
    })

    describe('and elsewhere', () => {
      const shared = shareAttackBox(scene)

      it.each([
        '/',
        '/dev',
        '/usr',
        '/etc',
        '/proc',
        '/opt',
        '/var/tmp',
        '/run',
      ])('and nothing else can be filled: %s', async (path) => {
        expect((await shared().sh('echo x > "$1/fill"', path)).exit.code).not.toBe(0)
      })

      it('no core dump is written', async () => {
        const { stdout } = await shared().sh(
          'ulimit -c; sh -c "kill -SEGV \\$\\$"; for d in /workspace /tmp; do cd $d && echo *; done',
        )
        expect(stdout.toString()).toBe('0\n*\n*\n')
      })
    })
  })

  describe('output floods, which are told as output_limit:', () => {
    afterEach(() => scene.host.tidy())
    it('1 GiB on stdout', { timeout: 60_000 * Math.min(kind.slowness, 4) }, async () => {
      // gVisor takes half a minute for all of it.
      const limit = (kind.outlivesLimits ? 1024 : 256) * MiB - 1
      const box = await arm({ outputBytes: limit })
      const running = await box.sandbox.exec(
        { argv: ['head', '-c', `${1024 * MiB}`, '/dev/zero'], env: { PATH: kind.path }, cwd: '/' },
        never,
      )
      let bytes = 0
      for await (const chunk of running.stdout) bytes += chunk.length
      expect(bytes).toBeLessThanOrEqual(limit)
      expect((await running.exit).cause).toBe('output_limit')
      expect(await box.sandbox.ended).toBe('output_limit')
    })

    it('an endless one, on both streams at once', async () => {
      const box = await arm({ outputBytes: 8 * MiB })
      const { exit, stdout, stderr } = await box.sh('yes & yes >&2; wait')
      expect(exit.cause).toBe('output_limit')
      expect(stdout.length + stderr.length).toBeLessThanOrEqual(8 * MiB)
    })

    it('one that nobody reads takes no memory of the daemon', async () => {
      const box = await arm({ outputBytes: 1024 * MiB })
      const before = process.memoryUsage().rss
      const running = await box.sandbox.exec(
        { argv: ['yes'], env: { PATH: kind.path }, cwd: '/' },
        never,
      )
      await expectUsable(box)
      await expectUsable(box)
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB)
      await box.sandbox[Symbol.asyncDispose]()
      expect((await running.exit).code).not.toBe(0)
    })
  })

  describe('and its other guests', () => {
    afterEach(() => scene.host.tidy())

    it('a busy loop, which gets its share of the cpu and no more', async () => {
      const box = await arm({ cpuMillicores: 100 })
      const before = await box.sandbox.stats(never)
      const started = performance.now()
      await box.sh('timeout 1 sh -c "while :; do :; done"')
      const wallMs = performance.now() - started
      const { cpuMs } = await box.sandbox.stats(never)
      expect(cpuMs - before.cpuMs).toBeLessThan(wallMs * 0.1 * kind.hostCores + 60)
    })

    it('background processes that outlive their command, which end with the sandbox', async () => {
      const box = await arm()
      const name = `lingerer-${process.pid}`
      await box.sh(
        '(setsid sh -c "sleep 1000; exit" "$1" &) ; (nohup sleep 1000 >/dev/null 2>&1 &)',
        name,
      )
      await box.sandbox[Symbol.asyncDispose]()
      const { stdout } = await promisify(execFile)('ps', ['-eo', 'args='])
      expect(stdout).not.toContain(name)
    })
  })
})
