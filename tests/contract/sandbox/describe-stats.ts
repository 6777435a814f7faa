import { describe, expect, it } from 'vitest'
import { type HostScene, MiB, never, shareSandbox } from '../hosts/host-scene.ts'
import { firstLine } from '../sandbox-driver.ts'

export function describeStats(scene: HostScene): void {
  const { commands, start, run } = scene

  describe('stats', () => {
    const shared = shareSandbox(scene)

    it('count what runs', async () => {
      const running = await start(shared(), commands.runForever())
      await firstLine(running.stdout)
      const stats = await shared().stats(never)
      expect(stats.pids).toBeGreaterThanOrEqual(2)
      expect(stats.memoryBytes).toBeGreaterThan(0)
      expect(stats.memoryPeakBytes).toBeGreaterThanOrEqual(stats.memoryBytes)
      expect(stats.cpuMs).toBeGreaterThan(0)
      running.kill('KILL')
      await running.exit
      await expect
        .poll(async () => (await shared().stats(never)).pids, { timeout: 10_000 })
        .toBeLessThan(stats.pids)
    })

    it.runIf(commands.limits)('follow what is used', async () => {
      const { limits } = commands
      const before = await shared().stats(never)
      await run(shared(), limits?.burn(300) ?? commands.exit(0))
      await run(shared(), limits?.allocate(96 * MiB) ?? commands.exit(0))
      const after = await shared().stats(never)
      expect(after.cpuMs - before.cpuMs).toBeGreaterThan(150)
      expect(after.memoryPeakBytes).toBeGreaterThan(96 * MiB)
      expect(after.memoryPeakBytes).toBeGreaterThan(after.memoryBytes)
    })

    it('are whole numbers that never go back, and answered to many at once', async () => {
      const seen = await Promise.all(Array.from({ length: 10 }, () => shared().stats(never)))
      const last = await shared().stats(never)
      for (const stats of seen) {
        for (const value of Object.values(stats)) {
          expect(Number.isFinite(value)).toBe(true)
          expect(value).toBeGreaterThanOrEqual(0)
        }
        expect(stats.cpuMs).toBeLessThanOrEqual(last.cpuMs)
        expect(stats.ioReadBytes).toBeLessThanOrEqual(last.ioReadBytes)
        expect(stats.ioWriteBytes).toBeLessThanOrEqual(last.ioWriteBytes)
      }
    })

    it('are not waited for when cancelled', async () => {
      const asking = shared().stats(AbortSignal.abort(new Error('no')))
      await expect(asking).rejects.toThrow('no')
    })
  })
}
