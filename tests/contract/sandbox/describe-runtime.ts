import { describe, expect, it } from 'vitest'
import { type HostScene, never } from '../hosts/host-scene.ts'
import { collect } from '../sandbox-driver.ts'

export function describeRuntime(scene: HostScene): void {
  describeCrowd(scene)
  describeDiagnosis(scene)
}

function describeCrowd(scene: HostScene): void {
  const { commands, start } = scene

  // An emulated machine has as much to do for itself as five processes.
  const crowd = scene.kind.slowness > 1 ? 4 : 20
  it(`${crowd} sandboxes at once do not mix`, { timeout: 120_000 }, async () => {
    const words = Array.from({ length: crowd }, (_, index) => `sandbox ${index}`)
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

function describeDiagnosis(scene: HostScene): void {
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
