import { describe, expect, it, type TestContext } from 'vitest'
import type { LimitCommands } from '../contract-commands.ts'
import { type HostScene, MiB, never, tidyAfterEach } from '../hosts/host-scene.ts'

export function describeLimits(scene: HostScene, breaking: LimitCommands): void {
  const { commands, run } = scene

  describe('limits', () => {
    tidyAfterEach(scene)
    const needs = (limit: keyof typeof scene.capabilities.limits, { skip }: TestContext) =>
      skip(!scene.capabilities.limits[limit], `no limit on ${limit} is enforced here`)

    it('end a command that takes too much memory, by cause', async (context) => {
      needs('memory', context)
      const sandbox = await scene.boot({ limits: { memoryBytes: 128 * MiB } })
      const { exit } = await run(sandbox, breaking.allocate(512 * MiB))
      expect(exit.cause).toBe('memory_limit')
      if (scene.kind.outlivesLimits)
        expect((await run(sandbox, commands.exit(0))).exit.code).toBe(0)
      else expect(await sandbox.ended).toBe('memory_limit')
    })

    it('let a command have the memory it was promised', async () => {
      const sandbox = await scene.boot({ limits: { memoryBytes: 256 * MiB } })
      const { exit, stderr } = await run(sandbox, breaking.allocate(96 * MiB))
      expect([stderr.toString(), exit.code]).toEqual(['', 0])
    })

    it('end a command that starts too many processes, by cause', async (context) => {
      needs('pids', context)
      const sandbox = await scene.boot({ limits: { pids: 24 } })
      const { exit } = await run(sandbox, breaking.startProcesses(100))
      expect(exit.code).not.toBe(0)
      if (scene.kind.outlivesLimits) expect(exit.cause).toBe('pids_limit')
      // The host refused the sandbox's kernel a thread; nobody is left who could tell.
      else expect(exit.cause).toMatch(/^(pids_limit|sandbox_lost)$/)
    })

    it('let a command have the processes it was promised', async () => {
      const sandbox = await scene.boot({ limits: { pids: 64 } })
      const { exit, stderr } = await run(sandbox, breaking.startProcesses(40))
      expect([stderr.toString(), exit.code, exit.cause]).toEqual(['', 0, undefined])
    })

    it.each([
      '/workspace',
      '/tmp',
    ])('fail a command that fills %s, by cause, and the other has its own', async (path) => {
      const sandbox = await scene.boot({
        limits: { diskBytes: 16 * MiB, memoryBytes: 256 * MiB },
      })
      const { exit } = await run(sandbox, breaking.fill(path, 64 * MiB))
      expect(exit.code).not.toBe(0)
      expect(exit.cause).toBe('disk_limit')
      const other = path === '/tmp' ? '/workspace' : '/tmp'
      expect((await run(sandbox, breaking.fill(other, 12 * MiB))).exit.code).toBe(0)
    })

    it('are not blamed for a command that fails by itself', async () => {
      const sandbox = await scene.boot({})
      for (const code of [1, 137]) {
        const { exit } = await run(sandbox, commands.exit(code))
        expect(exit).toMatchObject({ code, cause: undefined })
      }
    })

    it('slow a command down to its share of the cpu', async (context) => {
      needs('cpu', context)
      const sandbox = await scene.boot({ limits: { cpuMillicores: 200 } })
      const before = await sandbox.stats(never)
      const started = performance.now()
      expect((await run(sandbox, breaking.burn(1000))).exit.code).toBe(0)
      const { cpuMs } = await sandbox.stats(never)
      const wallMs = performance.now() - started
      // One period of the quota may be used up front.
      expect(cpuMs - before.cpuMs).toBeLessThan(wallMs * 0.2 * scene.kind.hostCores + 100)
    })

    it('are enforced, or no sandbox is made', async () => {
      const { limits } = scene.capabilities
      const unenforced = Object.entries(limits).filter(([, enforced]) => !enforced)
      expect(unenforced).toEqual([])
    })
  })
}
