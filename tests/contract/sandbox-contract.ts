import { createHash, randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  type ByteStream,
  type ConnectTarget,
  type Sandbox,
  type SandboxNotice,
  type SandboxProcess,
  type SandboxRuntime,
  sandboxId,
} from '@aegis/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ContractCommands } from './contract-commands.ts'
import { collect, firstLine, run, type SpecOverrides, specWith } from './sandbox-driver.ts'

/** One implementation of the sandbox port, ready to be tested. */
export interface ContractSubject {
  open(): Promise<SandboxRuntime>
  readonly commands: ContractCommands
  /** PATH for commands inside. */
  readonly path: string
  /** Fails when a sandbox of the runtime left something on the host. */
  expectNothingLeft?(): Promise<void>
  /**
   * Boots sandboxes in another process at the state of `open`, kills it without a chance to clean
   * up, and returns what the sweep of a new runtime there has to find nothing of.
   */
  abandon?(): Promise<SandboxRuntime>
}

const never = new AbortController().signal
const MiB = 1 << 20

/** The promises of `SandboxRuntime` and `Sandbox`, each as a test. */
export function describeSandboxContract(name: string, subject: ContractSubject): void {
  const { commands } = subject
  let runtime: SandboxRuntime

  beforeAll(async () => {
    runtime = await subject.open()
  })
  const booted: Sandbox[] = []
  afterEach(async () => {
    await Promise.all(booted.splice(0).map((sandbox) => sandbox[Symbol.asyncDispose]()))
    await subject.expectNothingLeft?.()
  })
  afterAll(() => runtime?.[Symbol.asyncDispose]())

  const boot = async (overrides: SpecOverrides = {}): Promise<Sandbox> => {
    const sandbox = await runtime.boot(specWith(overrides), never)
    booted.push(sandbox)
    return sandbox
  }
  const start = (sandbox: Sandbox, argv: readonly [string, ...string[]], env = {}) =>
    sandbox.exec({ argv, env: { PATH: subject.path, ...env }, cwd: '/workspace' }, never)

  describe(`${name}: boot`, () => {
    it('yields a sandbox that says who it is and how long it took', async () => {
      const sandbox = await boot({ id: sandboxId('contract-name') })
      expect(sandbox.id).toBe('contract-name')
      expect(sandbox.isolation).toBe(runtime.isolation)
      expect(Object.values(sandbox.bootPhases).every((ms) => ms >= 0)).toBe(true)
    })

    it('refuses an id that is in use, and takes it again once it is free', async () => {
      const spec = specWith({})
      const first = await runtime.boot(spec, never)
      await expect(runtime.boot(spec, never)).rejects.toMatchObject({ kind: 'conflict' })
      await first[Symbol.asyncDispose]()
      const second = await runtime.boot(spec, never)
      await second[Symbol.asyncDispose]()
    })

    it('does nothing when it is cancelled beforehand', async () => {
      const reason = new Error('changed my mind')
      await expect(runtime.boot(specWith({}), AbortSignal.abort(reason))).rejects.toBe(reason)
    })

    it.each([
      0, 1, 3, 6, 10,
    ])('leaves nothing when it is cancelled after %i ms', async (afterMs) => {
      const spec = specWith({})
      const cancel = new AbortController()
      const timer = setTimeout(() => cancel.abort(new Error('cancelled')), afterMs)
      const outcome = await runtime.boot(spec, cancel.signal).catch((error: Error) => error)
      clearTimeout(timer)
      if (outcome instanceof Error) expect(outcome.message).toBe('cancelled')
      else await outcome[Symbol.asyncDispose]()
      await subject.expectNothingLeft?.()
      await (await runtime.boot(spec, never))[Symbol.asyncDispose]()
    })
  })

  describe(`${name}: commands`, () => {
    it.each([0, 1, 7, 255])('report their exit code %i', async (code) => {
      const { exit } = await collect(await start(await boot(), commands.exit(code)))
      expect(exit).toMatchObject({ code, signal: undefined, cause: undefined })
    })

    it('get exactly the environment they were given', async () => {
      const env = {
        PATH: subject.path,
        EMPTY: '',
        GREETING: 'grüß dich=welt',
        A_b1: ' two  words ',
      }
      const { stdout } = await run(await boot(), commands.environment(), env)
      const lines = stdout.toString().replace(/\n$/, '').split('\n')
      expect(lines.sort()).toEqual(
        Object.entries(env)
          .map((pair) => pair.join('='))
          .sort(),
      )
    })

    it('get their arguments unchanged, empty and odd ones too', async () => {
      const words = ['', ' ', 'a b', '$HOME', "'", '"', '\\', '*', '--', 'é', '日本', '-n']
      const { stdout } = await collect(await start(await boot(), commands.print(...words)))
      expect(stdout.toString()).toBe(words.map((word) => `${word}\n`).join(''))
    })

    it('run in the directory they were given', async () => {
      const sandbox = await boot()
      const command = {
        argv: commands.workingDirectory(),
        env: { PATH: subject.path },
        cwd: '/tmp',
      }
      const { stdout } = await collect(await sandbox.exec(command, never))
      expect(stdout.toString()).toBe('/tmp\n')
    })

    it('that do not exist are told so, and the sandbox stays usable', async () => {
      const sandbox = await boot()
      await expect(start(sandbox, ['no-such-command'])).rejects.toMatchObject({ kind: 'not-found' })
      expect((await collect(await start(sandbox, commands.exit(0)))).exit.code).toBe(0)
    })

    it('are not started when cancelled beforehand', async () => {
      const sandbox = await boot()
      const command = { argv: commands.exit(0), env: { PATH: subject.path }, cwd: '/' }
      await expect(sandbox.exec(command, AbortSignal.abort(new Error('no')))).rejects.toThrow('no')
    })

    it('can be killed', async () => {
      const running = await start(await boot(), commands.runForever())
      expect(await firstLine(running.stdout)).toBe('ready')
      running.kill('KILL')
      expect(await running.exit).toMatchObject({
        code: undefined,
        signal: 'KILL',
        cause: undefined,
      })
    })

    it('can handle a signal themselves', async () => {
      const running = await start(await boot(), commands.exitFiveOnTerm())
      expect(await firstLine(running.stdout)).toBe('ready')
      running.kill('TERM')
      expect(await running.exit).toMatchObject({ code: 5, signal: undefined })
    })

    it('run side by side, each with its own streams', async () => {
      const sandbox = await boot()
      const words = Array.from({ length: 10 }, (_, index) => `word-${index}`)
      const outputs = await Promise.all(
        words.map(async (word) =>
          collect(await start(sandbox, commands.cat()), [Buffer.from(word)]),
        ),
      )
      expect(outputs.map(({ stdout }) => stdout.toString())).toEqual(words)
    })
  })

  describe(`${name}: streams`, () => {
    it('keep stdout and stderr apart', async () => {
      const { stdout, stderr } = await collect(
        await start(await boot(), commands.printBoth('to out', 'to err')),
      )
      expect([stdout.toString(), stderr.toString()]).toEqual(['to out', 'to err'])
    })

    it('carry every byte value in both directions', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value))
      const { stdout } = await collect(await start(await boot(), commands.cat()), [bytes])
      expect(stdout.equals(bytes)).toBe(true)
    })

    it('carry 64 MiB in both directions unchanged', { timeout: 60_000 }, async () => {
      const block = randomBytes(MiB)
      const running = await start(await boot({ limits: { outputBytes: 65 * MiB } }), commands.cat())
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
      const { stdout } = await collect(await start(await boot(), commands.cat()), chunks)
      expect(stdout.equals(bytes)).toBe(true)
    })

    it('accept input quietly that a finished command no longer reads', async () => {
      const running = await start(await boot(), commands.ignoreStdin())
      expect((await running.exit).code).toBe(0)
      for (let count = 0; count < 100; count++) await running.writeStdin(new Uint8Array(10_000))
      running.closeStdin()
      running.closeStdin()
    })

    it('that nobody reads hold back their own command and no other', async () => {
      const sandbox = await boot({ limits: { outputBytes: 64 * MiB } })
      const unread = await start(sandbox, commands.zeros(32 * MiB))
      let ended = false
      void unread.exit.then(() => {
        ended = true
      })
      const { stdout } = await collect(await start(sandbox, commands.print('still here')))
      expect(stdout.toString()).toBe('still here\n')
      expect(ended).toBe(false)
      const { stdout: all } = await collect(unread)
      expect(all.length).toBe(32 * MiB)
    })

    it('may be left half-read', async () => {
      const sandbox = await boot({ limits: { outputBytes: 64 * MiB } })
      const running = await start(sandbox, commands.zeros(8 * MiB))
      for await (const _ of running.stdout) break
      running.kill('KILL')
      await running.exit
      expect((await collect(await start(sandbox, commands.exit(3)))).exit.code).toBe(3)
    })
  })

  describe(`${name}: files`, () => {
    it('come back as they were put in, parents made', async () => {
      const sandbox = await boot()
      const content = randomBytes(3 * MiB)
      const path = '/workspace/deep/er/file.bin'
      await sandbox.writeFiles(
        [
          { path, content },
          { path: '/tmp/empty', content: Buffer.alloc(0) },
        ],
        never,
      )
      expect(Buffer.from(await sandbox.readFile(path, 4 * MiB, never)).equals(content)).toBe(true)
      expect(await sandbox.readFile('/tmp/empty', 1, never)).toHaveLength(0)
    })

    it('are replaced when written again', async () => {
      const sandbox = await boot()
      const path = '/workspace/note'
      await sandbox.writeFiles([{ path, content: Buffer.from('a longer first text') }], never)
      await sandbox.writeFiles([{ path, content: Buffer.from('short') }], never)
      expect(Buffer.from(await sandbox.readFile(path, 100, never)).toString()).toBe('short')
    })

    it('that are not there are told so', async () => {
      const reading = (await boot()).readFile('/workspace/none', 100, never)
      await expect(reading).rejects.toMatchObject({ kind: 'not-found' })
    })

    it('that are larger than the reader wants are refused', async () => {
      const sandbox = await boot()
      await sandbox.writeFiles([{ path: '/tmp/big', content: new Uint8Array(2 * MiB) }], never)
      await expect(sandbox.readFile('/tmp/big', MiB, never)).rejects.toMatchObject({
        kind: 'exhausted',
      })
      expect(await sandbox.readFile('/tmp/big', 2 * MiB, never)).toHaveLength(2 * MiB)
    })

    it('are not moved when cancelled, and the sandbox stays usable', async () => {
      const sandbox = await boot()
      const cancel = new AbortController()
      const content = new Uint8Array(16 * MiB)
      const writing = sandbox.writeFiles([{ path: '/tmp/large', content }], cancel.signal)
      cancel.abort(new Error('enough'))
      // Cancelling after the last byte was sent is no failure.
      await writing.catch((error: Error) => expect(error.message).toBe('enough'))
      const aborted = AbortSignal.abort(new Error('no'))
      await expect(sandbox.readFile('/tmp/large', 1, aborted)).rejects.toThrow('no')
      expect((await collect(await start(sandbox, commands.exit(0)))).exit.code).toBe(0)
    })
  })

  describe(`${name}: connections`, () => {
    it('from inside reach the handler of their sandbox, with half-close', async () => {
      const seen: ConnectTarget[] = []
      const sandbox = await boot({
        onConnect: (target, stream) => {
          seen.push(target)
          void answerReversed(stream)
        },
      })
      const { stdout } = await collect(await start(sandbox, commands.callAgentApi()), [
        Buffer.from('desserts'),
      ])
      expect(stdout.toString()).toBe('stressed')
      expect(seen).toEqual([{ kind: 'agent-api' }])
    })

    it.runIf(commands.lookUp)('to names nobody permitted are reported', async () => {
      const noticed = Promise.withResolvers<SandboxNotice>()
      const sandbox = await boot({ onNotice: noticed.resolve })
      const { exit } = await collect(
        await start(sandbox, commands.lookUp?.('denied.example') ?? ['true']),
      )
      expect(exit.code).not.toBe(0)
      expect(await noticed.promise).toEqual({ kind: 'dns-denied', name: 'denied.example' })
    })
  })

  describe.runIf(commands.terminal)(`${name}: terminals`, () => {
    it('are what the command sees, in the size that was asked for', async () => {
      const sandbox = await boot()
      const argv = commands.terminal?.() ?? ['true']
      const terminal = { rows: 33, columns: 101 }
      const command = { argv, env: { PATH: subject.path }, cwd: '/', terminal }
      const { stdout, exit } = await collect(await sandbox.exec(command, never))
      expect(stdout.toString().replaceAll('\r', '')).toBe('tty\n33 101\n')
      expect(exit.code).toBe(0)
    })
  })

  describe.runIf(commands.limits)(`${name}: limits`, () => {
    const breaking = commands.limits
    it('end a command that takes too much memory, by cause', async () => {
      const sandbox = await boot({ limits: { memoryBytes: 128 * MiB } })
      const { exit } = await collect(
        await start(sandbox, breaking?.allocate(512 * MiB) ?? ['true']),
      )
      expect(exit.cause).toBe('memory_limit')
      expect((await collect(await start(sandbox, commands.exit(0)))).exit.code).toBe(0)
    })

    it('end a command that starts too many processes, by cause', async () => {
      const sandbox = await boot({ limits: { pids: 24 } })
      const { exit } = await collect(
        await start(sandbox, breaking?.startProcesses(100) ?? ['true']),
      )
      expect(exit.code).not.toBe(0)
      expect(exit.cause).toBe('pids_limit')
    })

    it.each(['/workspace', '/tmp'])('fail a command that fills %s, by cause', async (path) => {
      const sandbox = await boot({ limits: { diskBytes: 16 * MiB, memoryBytes: 256 * MiB } })
      const { exit } = await collect(
        await start(sandbox, breaking?.fill(path, 64 * MiB) ?? ['true']),
      )
      expect(exit.code).not.toBe(0)
      expect(exit.cause).toBe('disk_limit')
    })

    it('slow a command down to its share of the cpu', async () => {
      const sandbox = await boot({ limits: { cpuMillicores: 200 } })
      const before = await sandbox.stats(never)
      const started = performance.now()
      const busy = ['/bin/sh', '-c', 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'] as const
      await collect(await start(sandbox, [...busy]))
      const wallMs = performance.now() - started
      const cpuMs = (await sandbox.stats(never)).cpuMs - before.cpuMs
      // One period of the quota may be used up front.
      expect(cpuMs).toBeLessThan(wallMs * 0.2 + 60)
    })
  })

  it(`${name}: output beyond the limit ends the sandbox, by cause`, async () => {
    const sandbox = await boot({ limits: { outputBytes: MiB } })
    const { exit, stdout } = await collect(await start(sandbox, commands.zeros(64 * MiB)))
    expect(exit.cause).toBe('output_limit')
    expect(stdout.length).toBeLessThanOrEqual(MiB)
    expect(await sandbox.ended).toBe('output_limit')
  })

  describe(`${name}: the end`, () => {
    it('comes in good order, twice if need be', async () => {
      const sandbox = await boot()
      await Promise.all([sandbox[Symbol.asyncDispose](), sandbox[Symbol.asyncDispose]()])
      await sandbox[Symbol.asyncDispose]()
      expect(await sandbox.ended).toBeUndefined()
    })

    it('takes running commands along, whose exits and streams settle', async () => {
      const sandbox = await boot()
      const running = await start(sandbox, commands.runForever())
      expect(await firstLine(running.stdout)).toBe('ready')
      await sandbox[Symbol.asyncDispose]()
      expect((await running.exit).code).not.toBe(0)
      await running.writeStdin(Buffer.from('anybody?'))
      for await (const _ of running.stderr) break
    })

    it('is what every method says afterwards', async () => {
      const sandbox = await boot()
      await sandbox[Symbol.asyncDispose]()
      const ended = { kind: 'unavailable', code: 'sandbox.ended' }
      await expect(start(sandbox, commands.exit(0))).rejects.toMatchObject(ended)
      await expect(sandbox.readFile('/tmp/x', 1, never)).rejects.toMatchObject(ended)
      const file = { path: '/tmp/x', content: new Uint8Array(1) }
      await expect(sandbox.writeFiles([file], never)).rejects.toMatchObject(ended)
      await expect(sandbox.stats(never)).rejects.toMatchObject(ended)
    })
  })

  it(`${name}: stats count what runs`, async () => {
    const sandbox = await boot()
    const running = await start(sandbox, commands.runForever())
    await firstLine(running.stdout)
    const stats = await sandbox.stats(never)
    expect(stats.pids).toBeGreaterThanOrEqual(2)
    expect(stats.memoryBytes).toBeGreaterThan(0)
    expect(stats.memoryPeakBytes).toBeGreaterThanOrEqual(stats.memoryBytes)
    expect(stats.cpuMs).toBeGreaterThan(0)
  })

  it(`${name}: twenty sandboxes at once do not mix`, { timeout: 60_000 }, async () => {
    const words = Array.from({ length: 20 }, (_, index) => `sandbox ${index}`)
    const outputs = await Promise.all(
      words.map(async (word) => {
        const sandbox = await boot()
        await sandbox.writeFiles([{ path: '/workspace/word', content: Buffer.from(word) }], never)
        const { stdout } = await collect(await start(sandbox, commands.cat()), [Buffer.from(word)])
        const read = await sandbox.readFile('/workspace/word', 100, never)
        await sandbox[Symbol.asyncDispose]()
        return [stdout.toString(), Buffer.from(read).toString()]
      }),
    )
    expect(outputs).toEqual(words.map((word) => [word, word]))
  })

  it.runIf(subject.abandon)(`${name}: a sweep removes what a killed owner left`, async () => {
    const successor = await subject.abandon?.()
    await successor?.sweep(never)
    expect(await successor?.sweep(never)).toEqual({ removed: [] })
    await successor?.[Symbol.asyncDispose]()
  })

  it(`${name}: a sweep spares the living`, async () => {
    const sandbox = await boot()
    await runtime.sweep(never)
    const running: SandboxProcess = await start(sandbox, commands.exit(0))
    expect((await running.exit).code).toBe(0)
  })

  it(`${name}: every finding of the diagnosis that is not fine names a remedy`, async () => {
    for (const finding of await runtime.diagnose(never)) {
      expect(finding.detail).not.toBe('')
      if (finding.state !== 'ok') expect(finding.remedy).toBeTruthy()
    }
  })
}

async function answerReversed(stream: ByteStream): Promise<void> {
  if (!(stream instanceof Duplex)) throw new TypeError('In Node a ByteStream is a Duplex')
  const asked = await buffer(stream)
  stream.end(asked.reverse())
}
