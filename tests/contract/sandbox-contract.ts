import { describe, expect, it } from 'vitest'
import { describeOnHosts, type SandboxHostKind } from './hosts/sandbox-host.ts'
import { type ContractScene, never, openContractScene } from './sandbox/contract-scene.ts'
import { describeBoot } from './sandbox/describe-boot.ts'
import { describeCommands } from './sandbox/describe-commands.ts'
import { describeConnections } from './sandbox/describe-connections.ts'
import { describeEnd } from './sandbox/describe-end.ts'
import { describeFiles } from './sandbox/describe-files.ts'
import { describeFilesystem } from './sandbox/describe-filesystem.ts'
import { describeGuest } from './sandbox/describe-guest.ts'
import { describeImages } from './sandbox/describe-images.ts'
import { describeLimits } from './sandbox/describe-limits.ts'
import { describeStats } from './sandbox/describe-stats.ts'
import { describeStreams } from './sandbox/describe-streams.ts'
import { describeSweep } from './sandbox/describe-sweep.ts'
import { collect } from './sandbox-driver.ts'

/** The promises of `SandboxRuntime` and `Sandbox`, each as a test. */
export function describeSandboxContract(kind: SandboxHostKind): void {
  describeOnHosts([kind], 'the contract', () => {
    const scene = openContractScene(kind)
    const { limits, sh } = kind.commands
    describeBoot(scene)
    describeCommands(scene)
    describeStreams(scene)
    describeFiles(scene)
    describeConnections(scene)
    describeStats(scene)
    describeEnd(scene)
    describeSweep(scene)
    describeCrowd(scene)
    describeDiagnosis(scene)
    if (limits !== undefined) describeLimits(scene, limits)
    if (sh !== undefined) {
      describeFilesystem(scene, sh)
      describeGuest(scene)
    }
    if (kind.bootsImages) describeImages(scene)
  })
}

function describeCrowd(scene: ContractScene): void {
  const { commands, start } = scene

  it('twenty sandboxes at once do not mix', { timeout: 120_000 }, async () => {
    const words = Array.from({ length: 20 }, (_, index) => `sandbox ${index}`)
    const outputs = await Promise.all(
      words.map(async (word) => {
        const sandbox = await scene.boot()
        await sandbox.writeFiles([{ path: '/workspace/word', content: Buffer.from(word) }], never)
        const echoing = await start(sandbox, commands.cat())
        const { stdout } = await collect(echoing, [Buffer.from(word)])
        const read = await sandbox.readFile('/workspace/word', 100, never)
        await sandbox[Symbol.asyncDispose]()
        return [stdout.toString(), Buffer.from(read).toString()]
      }),
    )
    expect(outputs).toEqual(words.map((word) => [word, word]))
    await scene.host.tidy()
  })
}

function describeDiagnosis(scene: ContractScene): void {
  describe('a diagnosis', () => {
    it('names a remedy with every finding that is not fine', async () => {
      for (const finding of await scene.host.runtime.diagnose(never)) {
        expect(finding.detail).not.toBe('')
        if (finding.state !== 'ok') expect(finding.remedy).toBeTruthy()
      }
    })

    it('is not begun when cancelled', async () => {
      const asking = scene.host.runtime.diagnose(AbortSignal.abort(new Error('no')))
      await expect(asking).rejects.toThrow('no')
    })
  })
}
