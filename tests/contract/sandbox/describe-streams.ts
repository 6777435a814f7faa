import { createHash, randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { type HostScene, MiB, never, shareSandbox } from '../hosts/host-scene.ts'
import { collect, openLines } from '../sandbox-driver.ts'

export function describeStreams(scene: HostScene): void {
  const { commands, start, run } = scene

  describe('streams', () => {
    const shared = shareSandbox(scene, { limits: { outputBytes: 65 * MiB } })

    it('keep stdout and stderr apart', async () => {
      const { stdout, stderr } = await run(shared(), commands.printBoth('to out', 'to err'))
      expect([stdout.toString(), stderr.toString()]).toEqual(['to out', 'to err'])
    })

    it('carry every byte value in both directions', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value))
      const { stdout } = await collect(await start(shared(), commands.cat()), [bytes])
      expect(stdout.equals(bytes)).toBe(true)
    })

    it('carry 64 MiB in both directions unchanged', { timeout: 120_000 }, async () => {
      const block = randomBytes(MiB)
      const running = await start(shared(), commands.cat())
      const sent = createHash('sha256')
      const sending = (async () => {
        for (let count = 0; count < 64; count++) {
          block.writeUInt32BE(count, 0)
          sent.update(block)
          await running.writeStdin(Uint8Array.from(block))
        }
        running.closeStdin()
      })()
      const received = createHash('sha256')
      for await (const chunk of running.stdout) received.update(chunk)
      await sending
      expect(received.digest('hex')).toBe(sent.digest('hex'))
      expect((await running.exit).code).toBe(0)
    })

    it('carry single bytes in order', async () => {
      const bytes = randomBytes(500)
      const chunks = [...bytes].map((byte) => Uint8Array.of(byte))
      const { stdout } = await collect(await start(shared(), commands.cat()), chunks)
      expect(stdout.equals(bytes)).toBe(true)
    })

    it('answer while the input is still open', async () => {
      const running = await start(shared(), commands.cat())
      const lines = openLines(running.stdout)
      for (const word of ['one', 'two', 'three']) {
        await running.writeStdin(Buffer.from(`${word}\n`))
        expect(await lines.next()).toBe(word)
      }
      running.closeStdin()
      expect((await running.exit).code).toBe(0)
    })

    it('of many commands at once stay whole', async () => {
      const blocks = Array.from({ length: 8 }, () => randomBytes(MiB))
      const outputs = await Promise.all(
        blocks.map(async (block) => collect(await start(shared(), commands.cat()), [block])),
      )
      for (const [index, { stdout }] of outputs.entries())
        expect(stdout.equals(blocks[index] ?? Buffer.alloc(0))).toBe(true)
    })

    it('end when their command does, though it printed nothing', async () => {
      const { stdout, stderr, exit } = await run(shared(), commands.exit(0))
      expect([stdout.length, stderr.length, exit.code]).toEqual([0, 0, 0])
    })

    it('accept input quietly that a finished command no longer reads', async () => {
      const running = await start(shared(), commands.ignoreStdin())
      expect((await running.exit).code).toBe(0)
      for (let count = 0; count < 100; count++) await running.writeStdin(new Uint8Array(10_000))
      running.closeStdin()
      running.closeStdin()
    })

    it('that nobody reads hold back their own command and no other', async () => {
      const unread = await start(shared(), commands.zeros(32 * MiB))
      let ended = false
      void unread.exit.then(() => {
        ended = true
      })
      const { stdout } = await run(shared(), commands.print('still here'))
      expect(stdout.toString()).toBe('still here\n')
      expect(ended).toBe(false)
      const { stdout: all } = await collect(unread)
      expect(all.length).toBe(32 * MiB)
    })

    it('may be left half-read', async () => {
      const running = await start(shared(), commands.zeros(8 * MiB))
      for await (const _ of running.stdout) break
      running.kill('KILL')
      await running.exit
      expect((await run(shared(), commands.exit(3))).exit.code).toBe(3)
    })
  })

  describe('output beyond the limit', () => {
    it('ends the sandbox, by cause', async () => {
      const sandbox = await scene.boot({ limits: { outputBytes: MiB } })
      const { exit, stdout } = await run(sandbox, commands.zeros(64 * MiB))
      expect(exit.cause).toBe('output_limit')
      expect(stdout.length).toBeLessThanOrEqual(MiB)
      expect(await sandbox.ended).toBe('output_limit')
      await expect(sandbox.stats(never)).rejects.toMatchObject({ code: 'sandbox.ended' })
      await scene.host.tidy()
    })

    it('is counted for each command by itself', async () => {
      const sandbox = await scene.boot({ limits: { outputBytes: MiB } })
      for (let count = 0; count < 3; count++) {
        const { exit, stdout } = await run(sandbox, commands.zeros(MiB))
        expect([exit.code, stdout.length]).toEqual([0, MiB])
      }
      await scene.host.tidy()
    })
  })

  describe.runIf(commands.terminal)('terminals', () => {
    const shared = shareSandbox(scene)
    const terminal = { rows: 33, columns: 101 }

    it('are what the command sees, in the size that was asked for', async () => {
      const argv = commands.terminal?.() ?? commands.exit(1)
      const { stdout, exit } = await collect(await start(shared(), argv, { terminal }))
      expect(stdout.toString().replaceAll('\r', '')).toBe('tty\n33 101\n')
      expect(exit.code).toBe(0)
    })

    it('change their size while the command runs', async () => {
      const argv = commands.sh?.('echo ready; read line; stty size') ?? commands.exit(1)
      const running = await start(shared(), argv, { terminal })
      const lines = openLines(running.stdout)
      expect(await lines.next()).toBe('ready\r')
      running.resize(40, 120)
      await running.writeStdin(Buffer.from('go\n'))
      expect(await lines.next()).toBe('go\r')
      expect(await lines.next()).toBe('40 120\r')
      expect((await running.exit).code).toBe(0)
    })

    describe('with keys and signals', () => {
      beforeEach(({ skip }) => {
        skip(!scene.kind.terminalsAct, 'terminals only pass characters on here')
      })

      it('tell the command of a new size', async () => {
        const argv = commands.terminalSizeOnResize?.() ?? commands.exit(1)
        const running = await start(shared(), argv, { terminal })
        const lines = openLines(running.stdout)
        expect(await lines.next()).toBe('ready\r')
        running.resize(40, 120)
        expect(await lines.next()).toBe('40 120\r')
        expect((await running.exit).code).toBe(0)
      })

      it('pass Ctrl-C on as the interrupt it is', async () => {
        const running = await start(shared(), commands.cat(), { terminal })
        const lines = openLines(running.stdout)
        await running.writeStdin(Buffer.from('ready\n'))
        // Once as an echo and once by the command.
        for (const _ of 'ab') expect(await lines.next()).toBe('ready\r')
        await running.writeStdin(Buffer.from('\x03'))
        expect(await running.exit).toMatchObject({ code: undefined, signal: 'INT' })
      })

      it('end their command’s input when it is closed', async () => {
        const running = await start(shared(), commands.cat(), { terminal })
        await running.writeStdin(Buffer.from('typed\n'))
        running.closeStdin()
        const { stdout, exit } = await collect(running)
        // Once as an echo and once by the command.
        expect(stdout.toString().replaceAll('\r', '')).toBe('typed\ntyped\n')
        expect(exit.code).toBe(0)
      })
    })
  })
}
