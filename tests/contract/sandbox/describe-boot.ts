import { type Sandbox, sandboxId } from '@aegis/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { type HostScene, never, tidyAfterEach } from '../hosts/host-scene.ts'

export function describeBoot(scene: HostScene): void {
  describe('boot', () => {
    tidyAfterEach(scene)
    const { boot } = scene

    it('yields a sandbox that says who it is and how long it took', async () => {
      const sandbox = await boot({ id: sandboxId('contract-name') })
      expect(sandbox.id).toBe('contract-name')
      expect(sandbox.isolation).toBe(scene.host.runtime.isolation)
      expect(sandbox.applicationKernel).toBe(scene.host.spec().applicationKernel)
      expect(Object.values(sandbox.bootPhases).every((ms) => ms >= 0)).toBe(true)
    })

    it('refuses an id that is in use, and takes it again once it is free', async () => {
      const spec = scene.host.spec()
      const { runtime } = scene.host
      const first = await runtime.boot(spec, never)
      await expect(runtime.boot(spec, never)).rejects.toMatchObject({ kind: 'conflict' })
      await first[Symbol.asyncDispose]()
      const second = await runtime.boot(spec, never)
      await second[Symbol.asyncDispose]()
    })

    it('refuses an id while it boots, and the first one boots', async () => {
      const spec = scene.host.spec()
      const { runtime } = scene.host
      const outcomes = await Promise.allSettled([
        runtime.boot(spec, never),
        runtime.boot(spec, never),
      ])
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        { status: 'rejected', reason: { kind: 'conflict' } },
      ])
      for (const outcome of outcomes)
        if (outcome.status === 'fulfilled') await outcome.value[Symbol.asyncDispose]()
    })

    it.each([
      '',
      '../other',
      'Upper',
      'a b',
      'a'.repeat(65),
      '-x',
    ])('refuses an id that could mean something else to the host: %j', async (id) => {
      await expect(boot({ id: sandboxId(id) })).rejects.toMatchObject({ kind: 'invalid' })
    })

    it.each([
      { memoryBytes: 0 },
      { pids: -1 },
      { cpuMillicores: Number.NaN },
      { diskBytes: Number.POSITIVE_INFINITY },
      { outputBytes: 1.5 },
    ])('refuses a limit that is none: %o', async (limits) => {
      await expect(boot({ limits })).rejects.toMatchObject({ kind: 'invalid' })
    })

    it('refuses a kernel, cards and a language that it has not', async () => {
      const { applicationKernels, gpus, languages } = scene.capabilities
      const refused = { kind: 'unsupported' }
      if (!applicationKernels.includes('gvisor'))
        await expect(boot({ applicationKernel: 'gvisor' })).rejects.toMatchObject(refused)
      if (!gpus) await expect(boot({ limits: { gpus: 1 } })).rejects.toMatchObject(refused)
      if (!languages.includes('python')) {
        const interpreter = { language: 'python', version: '3' } as const
        await expect(boot({ interpreter })).rejects.toMatchObject(refused)
      }
    })

    it('does nothing when it is cancelled beforehand', async () => {
      const reason = new Error('changed my mind')
      const booting = scene.host.runtime.boot(scene.host.spec(), AbortSignal.abort(reason))
      await expect(booting).rejects.toBe(reason)
    })

    describe('that is cancelled', () => {
      let usualMs: number
      beforeAll(async () => {
        await (await boot())[Symbol.asyncDispose]()
        const started = performance.now()
        const sandbox = await boot()
        usualMs = performance.now() - started
        await sandbox[Symbol.asyncDispose]()
      })

      it.each([
        0, 3, 10, 20, 35, 50, 65, 80, 90, 100,
      ])('after %i percent of its time leaves nothing, and the id is free', async (percent) => {
        const spec = scene.host.spec()
        const cancel = new AbortController()
        const timer = setTimeout(
          () => cancel.abort(new Error('cancelled')),
          (usualMs * percent) / 100,
        )
        const outcome: Sandbox | Error = await scene.host.runtime
          .boot(spec, cancel.signal)
          .catch((error: Error) => error)
        clearTimeout(timer)
        if (outcome instanceof Error) expect(outcome.message).toBe('cancelled')
        else await outcome[Symbol.asyncDispose]()
        await scene.host.expectNothingLeft()
        await (await scene.host.runtime.boot(spec, never))[Symbol.asyncDispose]()
      })
    })
  })
}
