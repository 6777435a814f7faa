import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { locateGuest } from './locate-guest.ts'
import { bootGuest, canBoot, env, never, spawnGuest } from './testing/boot-guest.ts'
import { encodeHeader } from './testing/encode-header.ts'
import { FrameType } from './wire/frame.ts'

const buildDirectory = join(import.meta.dirname, '..', '..', 'build')

/** Whether a process of this machine has `word` in its command line. */
async function runs(word: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => ''))
  return (await Promise.all(lines)).some((line) => line.split('\0').includes(word))
}

describe.skipIf(!(await canBoot()))('the end of a sandbox', () => {
  it('takes every process with it when the wire ends', async () => {
    const guest = await bootGuest()
    const word = `${31_000_000 + process.pid}`
    const command = await guest.session.exec(
      { argv: ['sh', '-c', `setsid sleep ${word} & sleep ${word}`], env, cwd: '/' },
      never,
    )
    await expect.poll(() => runs(word)).toBe(true)
    guest.session.close()
    await guest.exited
    expect(await runs(word)).toBe(false)
    expect(await command.exit).toMatchObject({ code: undefined, cause: undefined })
    expect(await guest.session.ended).toBeUndefined()
  })

  it('is sandbox_lost when the box is killed', async () => {
    const guest = await bootGuest()
    const command = await guest.session.exec({ argv: ['sleep', '100'], env, cwd: '/' }, never)
    process.kill(guest.pid, 'SIGKILL')
    expect(await guest.session.ended).toBe('sandbox_lost')
    expect(await command.exit).toMatchObject({ cause: 'sandbox_lost' })
  })

  it('is output_limit when a command prints too much', async () => {
    const guest = await bootGuest({ outputLimitBytes: 100_000 })
    const command = await guest.session.exec({ argv: ['cat', '/dev/zero'], env, cwd: '/' }, never)
    let bytes = 0
    for await (const chunk of command.stdout) bytes += chunk.length
    expect(bytes).toBe(100_000)
    expect(await command.exit).toMatchObject({ cause: 'output_limit' })
    await guest.exited
  })

  it('carries disk_limit when a command fails on a full disk', async () => {
    await using guest = await bootGuest()
    const command = await guest.session.exec(
      { argv: ['dd', 'if=/dev/zero', 'of=/workspace/big', 'bs=1M'], env, cwd: '/' },
      never,
    )
    expect(await command.exit).toMatchObject({ code: 1, cause: 'disk_limit' })
  })
})

describe.skipIf(!(await canBoot()))('a guest', () => {
  const control = (type: FrameType, payload = Buffer.alloc(0), channel = 0, flags = 0) =>
    Buffer.concat([encodeHeader(type, channel, payload.length, flags), payload])
  const configure = control(FrameType.configure, Buffer.alloc(21))
  const exec = Buffer.from('\0\0\0\0\0\0\x01\0\0/\0cat\0', 'latin1')

  it.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an unknown type', control(99 as FrameType)],
    ['a frame of its own', control(FrameType.hello, Buffer.alloc(8))],
    ['a command before its configuration', control(FrameType.exec, exec, 1)],
    ['two configurations', Buffer.concat([configure, configure])],
    [
      'a malformed command',
      Buffer.concat([configure, control(FrameType.exec, Buffer.alloc(9), 1)]),
    ],
    [
      'a relative path',
      Buffer.concat([configure, control(FrameType.get, Buffer.alloc(12, 'a'), 1)]),
    ],
    [
      'a channel that is not open',
      Buffer.concat([configure, control(FrameType.end, undefined, 5)]),
    ],
    [
      'data beyond its window',
      Buffer.concat([
        configure,
        control(FrameType.exec, exec, 1),
        ...Array.from({ length: 40 }, () => control(FrameType.data, Buffer.alloc(32_000), 1)),
      ]),
    ],
    [
      'credit beyond its window',
      Buffer.concat([
        configure,
        control(FrameType.exec, exec, 1),
        control(FrameType.window, Buffer.from([0, 0, 0, 1]), 1),
      ]),
    ],
    [
      'a channel number twice',
      Buffer.concat([
        configure,
        control(FrameType.exec, exec, 1),
        control(FrameType.exec, exec, 1),
      ]),
    ],
    [
      'a request inside another',
      Buffer.concat([
        configure,
        control(FrameType.exec, exec, 1, 1),
        control(FrameType.exec, exec, 2),
      ]),
    ],
    [
      'a request without end',
      Buffer.concat([
        configure,
        ...Array.from({ length: 40 }, () => control(FrameType.exec, Buffer.alloc(32_000), 1, 1)),
      ]),
    ],
    [
      'what would wake a machine out of a snapshot',
      Buffer.concat([configure, control(FrameType.resume, Buffer.alloc(16))]),
    ],
    [
      'the random numbers of a machine',
      control(FrameType.configure, Buffer.concat([Buffer.of(4), Buffer.alloc(20 + 72)])),
    ],
  ] as const)('exits at once on %s', async (_what, bytes) => {
    const { child, wire, exited } = await spawnGuest()
    const complaint = child.stderr ? text(child.stderr) : ''
    wire.on('error', () => {})
    wire.resume()
    wire.write(bytes)
    const [code] = await exited
    expect(code).toBe(70)
    expect(await complaint).toMatch(/^aegis-guest: [a-zA-Z ]+\n$/)
  })

  it('goes on with what it was sent once a host that read nothing reads again', async () => {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    // Over TCP, whose buffers take all that a guest holds back in one write.
    const wire = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
    const [guestEnd] = (await once(server, 'connection')) as [Socket]
    const child = spawn(await locateGuest({ buildDirectory }), ['--wire', '3'], {
      stdio: ['ignore', 'ignore', 'inherit', guestEnd],
    })
    const exited = once(child, 'exit')
    guestEnd.destroy()
    const ping = control(FrameType.ping, Buffer.alloc(8))
    const pings = 1_000_000
    wire.write(configure)
    wire.write(Buffer.alloc(pings * ping.length, ping))

    const cpuTime = () => readFile(`/proc/${child.pid}/schedstat`, 'latin1')
    let seen = ''
    const isStuck = async () => {
      const before = seen
      seen = await cpuTime()
      return before === seen
    }
    await expect.poll(isStuck, { interval: 100, timeout: 10_000 }).toBe(true)

    const answered = 16 + 10 + pings * ping.length
    let bytes = 0
    wire.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    wire.resume()
    await expect.poll(() => bytes, { timeout: 4_000 }).toBe(answered)
    wire.destroy()
    await exited
  })

  it('refuses to get ready for a snapshot of a kernel that is not its own, and goes on', async () => {
    await using guest = await bootGuest()
    await expect(guest.session.quiesce(never)).rejects.toMatchObject({
      code: 'guest.busy',
      details: { step: 'machine' },
    })
    expect(await guest.run('echo still here')).toMatchObject({ stdout: 'still here\n' })
  })

  it('also works when it is not the init of a namespace, and takes its commands with it', async () => {
    const guest = await locateGuest({ buildDirectory })
    const child = spawn(guest, { stdio: ['pipe', 'pipe', 'inherit'] })
    const word = `${32_000_000 + process.pid}`
    const argv = `\0\0\0\0\0\0\x03\0\x01/\0sh\0-c\0setsid sleep ${word} & sleep ${word}\0PATH=/bin:/usr/bin\0`
    child.stdout.resume()
    child.stdin.write(configure)
    child.stdin.write(control(FrameType.exec, Buffer.from(argv, 'latin1'), 1))
    await expect.poll(() => runs(word)).toBe(true)
    child.stdin.end()
    await once(child, 'exit')
    await expect.poll(() => runs(word)).toBe(false)
  })
})
