import { describe, expect, it } from 'vitest'
import { type HostScene, never, shareSandbox } from '../hosts/host-scene.ts'
import { collect, firstLine } from '../sandbox-driver.ts'

export function describeCommands(scene: HostScene): void {
  const { kind, commands, start, run } = scene

  describe('commands', () => {
    const shared = shareSandbox(scene)

    it.each([0, 1, 7, 255])('report their exit code %i', async (code) => {
      const { exit } = await run(shared(), commands.exit(code))
      expect(exit).toMatchObject({ code, signal: undefined, cause: undefined })
    })

    it('get the environment they were given, and of the image what they were not', async () => {
      const env = {
        PATH: kind.path,
        EMPTY: '',
        GREETING: 'grüß dich=welt',
        A_b1: ' two  words ',
      }
      const { stdout } = await run(shared(), commands.environment(), env)
      const lines = stdout.toString().replace(/\n$/, '').split('\n')
      const expected = Object.entries({ ...kind.environment, ...env })
      expect(lines.sort()).toEqual(expected.map((pair) => pair.join('=')).sort())
    })

    it('get their arguments unchanged, empty and odd ones too', async () => {
      const words = ['', ' ', 'a b', '$HOME', "'", '"', '\\', '*', '--', 'é', '日本', '-n']
      const { stdout } = await run(shared(), commands.print(...words))
      expect(stdout.toString()).toBe(words.map((word) => `${word}\n`).join(''))
    })

    it.each([
      '/',
      '/tmp',
      '/workspace',
    ])('run in the directory they were given: %s', async (cwd) => {
      const running = await start(shared(), commands.workingDirectory(), { cwd })
      expect((await collect(running)).stdout.toString()).toBe(`${cwd}\n`)
    })

    it.runIf(kind.nodePath)('are not started in a directory that is not there', async () => {
      const starting = start(shared(), commands.exit(0), { cwd: '/no/such/place' })
      await expect(starting).rejects.toMatchObject({ kind: 'invalid', code: 'exec.directory' })
    })

    it('that do not exist are told so, and the sandbox stays usable', async () => {
      await expect(start(shared(), ['no-such-command'])).rejects.toMatchObject({
        kind: 'not-found',
      })
      expect((await run(shared(), commands.exit(0))).exit.code).toBe(0)
    })

    it('are not started when cancelled beforehand', async () => {
      const command = { argv: commands.exit(0), env: { PATH: kind.path }, cwd: '/' }
      const starting = shared().exec(command, AbortSignal.abort(new Error('no')))
      await expect(starting).rejects.toThrow('no')
    })

    it('that are cancelled while they start leave nothing running', async () => {
      const sandbox = shared()
      const { pids: before } = await sandbox.stats(never)
      const command = { argv: commands.runForever(), env: { PATH: kind.path }, cwd: '/' }
      for (let turn = 0; turn < 5; turn++) {
        const cancel = new AbortController()
        const starting = sandbox.exec(command, cancel.signal)
        setTimeout(() => cancel.abort(new Error('never mind')), turn)
        // Too late is no failure.
        const outcome = await starting.catch((error: Error) => error)
        if (outcome instanceof Error) expect(outcome.message).toBe('never mind')
        else outcome.kill('KILL')
      }
      await expect
        .poll(async () => (await sandbox.stats(never)).pids, { timeout: 10_000 })
        .toBe(before)
    })

    it('can be killed', async () => {
      const running = await start(shared(), commands.runForever())
      expect(await firstLine(running.stdout)).toBe('ready')
      running.kill('KILL')
      expect(await running.exit).toMatchObject({
        code: undefined,
        signal: 'KILL',
        cause: undefined,
      })
    })

    it.each([
      'TERM',
      'INT',
      'HUP',
      'USR1',
      'USR2',
      'QUIT',
    ] as const)('that do not handle it are ended by SIG%s, and say so', async (signal) => {
      // No shell: dash forgets an interrupt that comes just when it starts a child.
      const running = await start(shared(), commands.cat())
      await running.writeStdin(Buffer.from('ready\n'))
      expect(await firstLine(running.stdout)).toBe('ready')
      running.kill(signal)
      expect(await running.exit).toMatchObject({ code: undefined, signal, cause: undefined })
    })

    it('can handle a signal themselves', async () => {
      const running = await start(shared(), commands.exitFiveOnTerm())
      expect(await firstLine(running.stdout)).toBe('ready')
      running.kill('TERM')
      expect(await running.exit).toMatchObject({ code: 5, signal: undefined })
    })

    it('that are over take a late signal quietly', async () => {
      const running = await start(shared(), commands.exit(3))
      expect((await running.exit).code).toBe(3)
      running.kill('TERM')
      running.kill('KILL')
      expect((await run(shared(), commands.exit(0))).exit.code).toBe(0)
    })

    it('that are killed take their children along', async () => {
      const sandbox = shared()
      const { pids: before } = await sandbox.stats(never)
      const running = await start(sandbox, commands.runForever())
      expect(await firstLine(running.stdout)).toBe('ready')
      expect((await sandbox.stats(never)).pids).toBeGreaterThan(before)
      running.kill('KILL')
      await running.exit
      await expect
        .poll(async () => (await sandbox.stats(never)).pids, { timeout: 10_000 })
        .toBe(before)
    })

    it('run side by side, each with its own streams', async () => {
      const words = Array.from({ length: 30 }, (_, index) => `word-${index}`)
      const outputs = await Promise.all(
        words.map(async (word) =>
          collect(await start(shared(), commands.cat()), [Buffer.from(word)]),
        ),
      )
      expect(outputs.map(({ stdout }) => stdout.toString())).toEqual(words)
    })
  })
}
