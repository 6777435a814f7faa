import { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ByteStream, ConnectTarget, SandboxNotice } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { type HostScene, tidyAfterEach } from '../hosts/host-scene.ts'
import { collect } from '../sandbox-driver.ts'

export function describeConnections(scene: HostScene): void {
  const { commands, start, run } = scene

  describe('connections', () => {
    tidyAfterEach(scene)

    it('from inside reach the handler of their sandbox, with half-close', async () => {
      const seen: ConnectTarget[] = []
      const sandbox = await scene.boot({
        onConnect: (target, stream) => {
          seen.push(target)
          void answerReversed(stream)
        },
      })
      const calling = await start(sandbox, commands.callAgentApi())
      const { stdout } = await collect(calling, [Buffer.from('desserts')])
      expect(stdout.toString()).toBe('stressed')
      expect(seen).toEqual([{ kind: 'agent-api' }])
    })

    it('of two sandboxes do not meet', async () => {
      const boot = (word: string) =>
        scene.boot({
          onConnect: (_, stream) => {
            if (stream instanceof Duplex) stream.resume().end(word)
          },
        })
      const sandboxes = await Promise.all([boot('one'), boot('two')])
      const answers = sandboxes.map(async (sandbox) => run(sandbox, commands.callAgentApi()))
      const words = (await Promise.all(answers)).map(({ stdout }) => stdout.toString())
      expect(words).toEqual(['one', 'two'])
    })

    it.runIf(commands.lookUp)('to names nobody permitted are reported', async () => {
      const noticed = Promise.withResolvers<SandboxNotice>()
      const sandbox = await scene.boot({ onNotice: noticed.resolve })
      const argv = commands.lookUp?.('denied.example') ?? commands.exit(0)
      expect((await run(sandbox, argv)).exit.code).not.toBe(0)
      expect(await noticed.promise).toEqual({ kind: 'dns-denied', name: 'denied.example' })
    })
  })
}

async function answerReversed(stream: ByteStream): Promise<void> {
  if (!(stream instanceof Duplex)) throw new TypeError('In Node a ByteStream is a Duplex')
  const asked = await buffer(stream)
  stream.end(asked.reverse())
}
