import { describe, expect, it } from 'vitest'
import { type HostScene, never, tidyAfterEach } from '../hosts/host-scene.ts'
import { firstLine } from '../sandbox-driver.ts'

export function describeEnd(scene: HostScene): void {
  const { commands, start } = scene

  describe('the end', () => {
    tidyAfterEach(scene)

    it('comes in good order, twice if need be', async () => {
      const sandbox = await scene.boot()
      expect((await scene.host.traces()).length).toBeGreaterThan(0)
      await Promise.all([sandbox[Symbol.asyncDispose](), sandbox[Symbol.asyncDispose]()])
      await sandbox[Symbol.asyncDispose]()
      expect(await sandbox.ended).toBeUndefined()
      await scene.host.expectNothingLeft()
    })

    it('takes running commands along, whose exits and streams settle', async () => {
      const sandbox = await scene.boot()
      const running = await start(sandbox, commands.runForever())
      expect(await firstLine(running.stdout)).toBe('ready')
      await sandbox[Symbol.asyncDispose]()
      expect((await running.exit).code).not.toBe(0)
      await running.writeStdin(Buffer.from('anybody?'))
      for await (const _ of running.stderr) break
    })

    it('settles what is under way, and whatever it was finds nothing left', async () => {
      const sandbox = await scene.boot()
      const content = new Uint8Array(8 << 20)
      const underway: readonly Promise<unknown>[] = [
        start(sandbox, commands.runForever()),
        sandbox.writeFiles([{ path: '/workspace/file', content }], never),
        sandbox.readFile('/workspace/file', 8 << 20, never),
        sandbox.stats(never),
      ]
      const settled = Promise.allSettled(underway)
      await sandbox[Symbol.asyncDispose]()
      await settled
      await scene.host.expectNothingLeft()
    })

    it('is what every method says afterwards', async () => {
      const sandbox = await scene.boot()
      await sandbox[Symbol.asyncDispose]()
      const ended = { kind: 'unavailable', code: 'sandbox.ended' }
      await expect(start(sandbox, commands.exit(0))).rejects.toMatchObject(ended)
      await expect(sandbox.readFile('/tmp/x', 1, never)).rejects.toMatchObject(ended)
      const file = { path: '/tmp/x', content: new Uint8Array(1) }
      await expect(sandbox.writeFiles([file], never)).rejects.toMatchObject(ended)
      await expect(sandbox.stats(never)).rejects.toMatchObject(ended)
    })

    it('of a runtime takes its sandboxes along, those that boot too', async () => {
      const host = await scene.kind.open()
      try {
        const { runtime } = host
        const living = await runtime.boot(host.spec(), never)
        const booting = runtime.boot(host.spec(), never).catch((error: Error) => error)
        await runtime[Symbol.asyncDispose]()
        expect(await living.ended).toBeUndefined()
        const outcome = await booting
        if (!(outcome instanceof Error)) {
          await using sandbox = outcome
          await expect(sandbox.stats(never)).rejects.toMatchObject({ code: 'sandbox.ended' })
        } else expect(outcome).toMatchObject({ kind: 'unavailable' })
        await host.expectNothingLeft()
        await expect(runtime.boot(host.spec(), never)).rejects.toMatchObject({
          kind: 'unavailable',
        })
      } finally {
        await host[Symbol.asyncDispose]()
      }
    })
  })
}
