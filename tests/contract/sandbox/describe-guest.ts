import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type HostScene, never } from '../hosts/host-scene.ts'

export function describeGuest(scene: HostScene): void {
  describe('a guest', () => {
    it('that says nothing is given up in time, and nothing is left of it', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'aegis-silent-'))
      onTestFinished(() => rm(directory, { recursive: true }))
      const guestPath = join(directory, 'guest')
      await writeFile(guestPath, '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 })
      const host = await scene.kind.open({ guestPath, helloTimeoutMs: 1000 })
      onTestFinished(() => host[Symbol.asyncDispose]())
      const started = performance.now()
      await expect(host.runtime.boot(host.spec(), never)).rejects.toMatchObject({
        name: 'AegisError',
        kind: expect.stringMatching(/^(timeout|unavailable)$/),
      })
      expect(performance.now() - started).toBeGreaterThanOrEqual(1000)
      await host.expectNothingLeft()
    })

    it('that ends at once is told with its last words', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'aegis-brief-'))
      onTestFinished(() => rm(directory, { recursive: true }))
      const guestPath = join(directory, 'guest')
      await writeFile(guestPath, '#!/bin/sh\necho famous last words >&2\nexit 3\n', { mode: 0o755 })
      const host = await scene.kind.open({ guestPath })
      onTestFinished(() => host[Symbol.asyncDispose]())
      await expect(host.runtime.boot(host.spec(), never)).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('famous last words'),
      })
      await host.expectNothingLeft()
    })
  })
}
