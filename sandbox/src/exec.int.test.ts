import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bootGuest,
  bytesOf,
  canBoot,
  env,
  never,
  type TestGuest,
  textOf,
} from './testing/boot-guest.ts'

describe.skipIf(!(await canBoot()))('a command in a sandbox', () => {
  let guest: TestGuest
  beforeAll(async () => {
    guest = await bootGuest()
  })
  afterAll(() => guest[Symbol.asyncDispose]())

  const start = (line: string) =>
    guest.session.exec({ argv: ['sh', '-c', line], env, cwd: '/workspace' }, never)

  it('gets its arguments, environment and directory, and reports its exit code', async () => {
    const process = await guest.session.exec(
      {
        argv: ['sh', '-c', 'echo "$1 $WORD"; pwd; exit 7', 'x', 'a b'],
        env: { ...env, WORD: 'ü' },
        cwd: '/tmp',
      },
      never,
    )
    expect(await textOf(process.stdout)).toBe('a b ü\n/tmp\n')
    expect(await process.exit).toMatchObject({ code: 7, signal: undefined, cause: undefined })
  })

  it('takes an argument of 100 KiB, which is more than a frame', async () => {
    const big = 'x'.repeat(100 * 1024)
    const process = await guest.session.exec(
      { argv: ['sh', '-c', 'printf %s "$1" | wc -c', 'x', big], env, cwd: '/' },
      never,
    )
    expect(await textOf(process.stdout)).toBe(`${big.length}\n`)
  })

  it('reads stdin to its end and gives binary output back unchanged', async () => {
    const content = randomBytes(3 << 20)
    const process = await guest.session.exec({ argv: ['cat'], env, cwd: '/' }, never)
    const feeding = process.writeStdin(content).then(() => process.closeStdin())
    const output = await bytesOf(process.stdout)
    await feeding
    expect(createHash('sha256').update(output).digest('hex')).toBe(
      createHash('sha256').update(content).digest('hex'),
    )
  })

  it('keeps stdout and stderr apart', async () => {
    const process = await start('for i in 1 2 3; do echo o$i; echo e$i >&2; done')
    const [stdout, stderr] = await Promise.all([textOf(process.stdout), textOf(process.stderr)])
    expect([stdout, stderr]).toEqual(['o1\no2\no3\n', 'e1\ne2\ne3\n'])
  })

  it('delivers a flood of output whole and counts what it cost', async () => {
    const process = await guest.session.exec(
      { argv: ['head', '-c', `${64 << 20}`, '/dev/zero'], env, cwd: '/' },
      never,
    )
    let bytes = 0
    for await (const chunk of process.stdout) bytes += chunk.length
    expect(bytes).toBe(64 << 20)
    const { usage } = await process.exit
    expect(usage.cpuUserMs + usage.cpuSystemMs).toBeGreaterThan(0)
    expect(usage.maxRssBytes).toBeGreaterThan(100_000)
  })

  it('is not held up by another command whose output nobody reads', async () => {
    const stalled = await start('cat /dev/zero')
    expect((await guest.run('echo through')).stdout).toBe('through\n')
    stalled.kill('KILL')
    const exit = stalled.exit
    for await (const _ of stalled.stdout);
    expect(await exit).toMatchObject({ signal: 'KILL' })
  })

  it('loses nothing that it printed just before its end', async () => {
    const { stdout } = await guest.run('head -c 200000 /dev/zero | tr "\\0" x; exit 1')
    expect(stdout.length).toBe(200_000)
  })

  it('ends although a survivor holds its output open, and takes the survivor with it', async () => {
    const process = await start('setsid sleep 1000 & echo $!')
    const pid = (await textOf(process.stdout)).trim()
    expect((await process.exit).code).toBe(0)
    // Killed by then; its entry is there until the guest has reaped it.
    await expect.poll(async () => (await guest.run(`test -d /proc/${pid}`)).code).toBe(1)
  })

  it('takes its whole session with it also while another command runs', async () => {
    const other = await start('sleep 1000')
    const process = await start('sleep 1001 & setsid -w sleep 1002 & sh -c "sleep 1003 & wait" & :')
    await process.exit
    // Killed, a process may still wait for a processor to die on.
    const running = async () => (await guest.run('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).stdout
    await expect.poll(running).not.toMatch(/sleep 100[13]/)
    other.kill('TERM')
    expect(await other.exit).toMatchObject({ signal: 'TERM' })
    await expect.poll(running).not.toMatch(/sleep/)
  })

  it.each([
    'TERM',
    'INT',
    'HUP',
    'USR1',
    'USR2',
    'QUIT',
    'KILL',
  ] as const)('ends by %s and says so', async (name) => {
    const process = await guest.session.exec({ argv: ['sleep', '1000'], env, cwd: '/' }, never)
    process.kill(name)
    expect(await process.exit).toMatchObject({ code: undefined, signal: name })
  })

  it('may catch a signal', async () => {
    const process = await start(
      'trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.01; done',
    )
    const output = process.stdout[Symbol.asyncIterator]()
    expect(Buffer.from((await output.next()).value ?? '').toString()).toBe('ready\n')
    process.kill('TERM')
    expect(Buffer.from((await output.next()).value ?? '').toString()).toBe('caught\n')
    expect((await process.exit).code).toBe(5)
  })

  it('swallows input that the command does not read', async () => {
    const process = await start('exec <&-; echo closed; exec sleep 1000')
    const output = process.stdout[Symbol.asyncIterator]()
    await output.next()
    for (let i = 0; i < 8; i++) await process.writeStdin(Buffer.alloc(1 << 20))
    process.kill('KILL')
    expect((await process.exit).signal).toBe('KILL')
  })

  it('is refused with a reason when it cannot start', async () => {
    const exec = (argv: [string, ...string[]], cwd = '/') =>
      guest.session.exec({ argv, env, cwd }, never)
    await expect(exec(['no-such-command'])).rejects.toMatchObject({
      kind: 'not-found',
      code: 'exec.not-found',
    })
    await expect(exec(['/usr'])).rejects.toMatchObject({ kind: 'invalid', code: 'exec.refused' })
    await expect(exec(['true'], '/nowhere')).rejects.toMatchObject({ code: 'exec.directory' })
    await expect(exec(['true', 'x'.repeat(200_000)])).rejects.toMatchObject({
      code: 'exec.too-large',
    })
    await expect(exec(['a\0b'])).rejects.toMatchObject({ code: 'exec.argument' })
    expect((await guest.run('echo fine')).stdout).toBe('fine\n')
  })

  it('gets a terminal that can be resized and typed into', async () => {
    const process = await guest.session.exec(
      {
        argv: ['sh', '-c', 'stty size; read line; stty size; echo "<$line>"; cat'],
        env,
        cwd: '/',
        terminal: { rows: 30, columns: 90 },
      },
      never,
    )
    const output = process.stdout[Symbol.asyncIterator]()
    let seen = ''
    const until = async (pattern: RegExp) => {
      while (!pattern.test(seen)) {
        const { value, done } = await output.next()
        if (done) throw new Error(`ended after ${JSON.stringify(seen)}`)
        seen += Buffer.from(value).toString()
      }
    }
    await until(/30 90/)
    process.resize(50, 120)
    await process.writeStdin(Buffer.from('hello\n'))
    await until(/50 120\r\n<hello>/)
    process.closeStdin()
    expect((await process.exit).code).toBe(0)
    expect(await textOf(process.stderr)).toBe('')
  })

  it('is killed when its start is no longer wanted', async () => {
    const controller = new AbortController()
    const starting = guest.session.exec(
      { argv: ['sleep', '1234'], env, cwd: '/' },
      controller.signal,
    )
    controller.abort(new Error('changed my mind'))
    await expect(starting).rejects.toThrow('changed my mind')
    expect((await guest.run('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).stdout).not.toMatch(/1234/)
  })

  it('runs beside many others', async () => {
    const outputs = await Promise.all(
      Array.from({ length: 40 }, (_, i) => guest.run(`echo ${i}; exit ${i}`)),
    )
    expect(outputs.map(({ stdout, code }) => [stdout, code])).toEqual(
      Array.from({ length: 40 }, (_, i) => [`${i}\n`, i]),
    )
  })

  it('is refused, and only that, when the sandbox may start no more processes', async () => {
    await using full = await bootGuest({}, ['/usr/bin/prlimit', '--nproc=1'], 'nobody')
    const command = { argv: ['true'], env, cwd: '/' } as const
    for (let turn = 0; turn < 3; turn++)
      await expect(full.session.exec(command, never)).rejects.toMatchObject({
        kind: 'exhausted',
        code: 'exec.resources',
      })
    expect((await full.session.stats(never)).pids).toBe(1)
  })

  it('leaves the guest answering while it floods it with zombies', async () => {
    const process = await start('while :; do (true &) ; done')
    for (let i = 0; i < 5; i++) expect((await guest.session.stats(never)).pids).toBeGreaterThan(1)
    process.kill('KILL')
    await process.exit
    await expect.poll(async () => (await guest.session.stats(never)).pids).toBe(1)
  })
})
