import { fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Abandonment } from './abandoning-owner.ts'
import { type HostScene, never, openHostScene, tidyAfterEach } from './hosts/host-scene.ts'
import { openRuntime } from './hosts/open-runtime.ts'
import { describeOnHosts, type SandboxHost, type SandboxHostKind } from './hosts/sandbox-host.ts'
import { describeBoot } from './sandbox/describe-boot.ts'
import { describeCommands } from './sandbox/describe-commands.ts'
import { describeConnections } from './sandbox/describe-connections.ts'
import { describeEnd } from './sandbox/describe-end.ts'
import { describeFiles } from './sandbox/describe-files.ts'
import { describeFilesystem } from './sandbox/describe-filesystem.ts'
import { describeGuest } from './sandbox/describe-guest.ts'
import { describeImages } from './sandbox/describe-images.ts'
import { describeLimits } from './sandbox/describe-limits.ts'
import { describeNetwork } from './sandbox/describe-network.ts'
import { describeRuntime } from './sandbox/describe-runtime.ts'
import { describeStats } from './sandbox/describe-stats.ts'
import { describeStreams } from './sandbox/describe-streams.ts'

/** The promises of `SandboxRuntime` and `Sandbox`, each as a test. */
export function describeSandboxContract(kind: SandboxHostKind): void {
  describeOnHosts([kind], 'the contract', () => {
    const scene = openHostScene(kind)
    const { limits, network, sh } = kind.commands
    describeBoot(scene)
    describeCommands(scene)
    describeStreams(scene)
    describeFiles(scene)
    describeConnections(scene)
    describeStats(scene)
    describeEnd(scene)
    describeSweep(scene)
    describeRuntime(scene)
    if (limits !== undefined) describeLimits(scene, limits)
    if (network !== undefined) describeNetwork(scene, network)
    if (sh !== undefined) {
      describeFilesystem(scene, sh)
      describeGuest(scene)
    }
    if (kind.bootsImages) describeImages(scene)
  })
}

/** A part that takes seconds where the whole takes minutes: what each kind of sandbox could get wrong. */
export function describeShortContract(kind: SandboxHostKind, why: string): void {
  describeOnHosts([kind], `part of the contract, since the whole ${why}`, () => {
    const scene = openHostScene(kind)
    describeCommands(scene)
    describeFiles(scene)
  })
}

function describeSweep(scene: HostScene): void {
  const { commands, run } = scene

  describe('recovery', () => {
    tidyAfterEach(scene)
    const openAnother = async () => {
      const host = await scene.kind.open()
      onTestFinished(() => host[Symbol.asyncDispose]())
      return host
    }

    it('a sweep removes what a killed owner left, whatever it was doing', async ({ skip }) => {
      const host = await openAnother()
      if (host.choice === undefined) return skip('nothing outlives the process of its owner')
      const left = await abandon(host, host.choice)
      expect(left.length).toBeGreaterThan(0)
      const successor = await openRuntime(host.choice)
      onTestFinished(() => successor[Symbol.asyncDispose]())
      await successor.sweep(never)
      await host.expectNothingLeft()
      expect(await successor.sweep(never)).toEqual({ removed: [] })
    })

    it('a sweep spares the living', async () => {
      const sandbox = await scene.boot()
      const booting = scene.boot()
      await scene.host.runtime.sweep(never)
      for (const spared of [sandbox, await booting])
        expect((await run(spared, commands.exit(0))).exit.code).toBe(0)
    })

    it('a sweep spares the sandboxes of others', async () => {
      const sandbox = await scene.boot()
      const other = await openAnother()
      await other.runtime.sweep(never)
      expect((await run(sandbox, commands.exit(0))).exit.code).toBe(0)
    })

    it('a sweep is not begun when cancelled', async () => {
      const sweeping = scene.host.runtime.sweep(AbortSignal.abort(new Error('no')))
      await expect(sweeping).rejects.toThrow('no')
    })
  })
}

/**
 * Boots sandboxes in another process, kills it without a chance to clean up, and says what was
 * there the moment before.
 */
async function abandon(
  host: SandboxHost,
  choice: NonNullable<SandboxHost['choice']>,
): Promise<readonly string[]> {
  const child = fork(new URL('./abandoning-owner.ts', import.meta.url), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const specs = [host.spec(), host.spec({ filesystem: { readOnly: true } })]
  const message: Abandonment = { choice, specs, path: host.kind.path }
  child.send(message)
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`The owner ended with ${code} before it was killed`)
    }),
  ])
  const there = await host.traces()
  child.kill('SIGKILL')
  await once(child, 'exit')
  return there
}
