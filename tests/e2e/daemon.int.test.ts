import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'
import { fails, json, ok, type TaskLine, writeAgent } from './product-commands.ts'

const reason = await whyNoProcessHost()

async function open(): Promise<AegisCommand> {
  const aegis = await openNodeCommand()
  onTestFinished(() => aegis[Symbol.asyncDispose]())
  return aegis
}

async function openWithDaemon(): Promise<AegisCommand> {
  const aegis = await open()
  await ok(aegis, 'daemon', 'start', '--port', String(aegis.port))
  return aegis
}

/** Each test starts several processes. */
const timeout = 120_000
const forever = 'console.log("up"); setInterval(() => {}, 1000)'

describe.skipIf(reason !== undefined)(
  `the daemon${reason ? ` (${reason})` : ''}`,
  { timeout },
  () => {
    it('starts, says where it is, and stops', async () => {
      const aegis = await open()
      expect(await ok(aegis, 'daemon', 'status')).toMatch(/^Daemon is not running\n/)
      expect(await ok(aegis, 'daemon', 'stop')).toBe('Daemon is not running\n')
      const port = String(aegis.port)
      const started = await ok(aegis, 'daemon', 'start', '--port', port)
      expect(started).toMatch(
        new RegExp(`^Daemon started \\(pid \\d+\\) at http://127\\.0\\.0\\.1:${port}\n`),
      )
      const again = await ok(aegis, 'daemon', 'start', '--port', port)
      expect(again).toMatch(/^Daemon is already running \(pid \d+\)/)
      const status = await ok(aegis, 'daemon', 'status')
      expect(status).toMatch(/^Daemon is running \(pid \d+, up 0m\)\n/)
      expect(status).toContain('offline scripted provider')
      const { pid } = await json<{ pid: number }>(aegis, 'daemon', 'status')
      expect(started).toContain(`pid ${pid}`)
      expect(await ok(aegis, 'daemon', 'logs')).toContain('daemon ready')
      expect(await ok(aegis, 'daemon', 'stop')).toBe(`Daemon stopped (pid ${pid})\n`)
      expect(() => process.kill(pid, 0)).toThrow('ESRCH')
      expect(await json(aegis, 'daemon', 'status')).toMatchObject({ state: 'stopped' })
    })

    it('keeps its home, its token and its log to its owner', async () => {
      const aegis = await openWithDaemon()
      const modeOf = async (path: string) => (await stat(join(aegis.home, path))).mode & 0o777
      expect(await modeOf('.')).toBe(0o700)
      expect(await modeOf('api-token')).toBe(0o600)
      expect(await modeOf('logs/daemon.log')).toBe(0o600)
      const token = (await readFile(join(aegis.home, 'api-token'), 'utf8')).trim()
      expect(await readFile(join(aegis.home, 'logs/daemon.log'), 'utf8')).not.toContain(token)
    })

    it('shows the end of its log when it cannot start', async () => {
      const first = await openWithDaemon()
      const second = await open()
      const { stderr } = await fails(
        second,
        1,
        /ended before it was ready/,
        'daemon',
        'start',
        '--port',
        String(first.port),
      )
      expect(stderr).toMatch(/ {2}error: Port \d+ on 127\.0\.0\.1 is taken/)
    })

    it('runs in the foreground until it is told to stop', async () => {
      const aegis = await open()
      const daemon = aegis.start('--daemon', '--port', String(aegis.port))
      await daemon.said(/daemon ready/)
      expect(await json(aegis, 'daemon', 'status')).toMatchObject({ state: 'running' })
      daemon.child.kill('SIGTERM')
      expect(await daemon.ended).toMatchObject({ code: 0 })
    })

    it('accepts a task without waiting for it, and says how to follow it', async () => {
      const aegis = await openWithDaemon()
      await ok(aegis, 'agent', 'deploy', await writeAgent(aegis, 'hello', 'console.log("hi")'))
      const said = await ok(aegis, 'task', 'execute', 'hello')
      const id =
        /^Execution ([0-9a-f-]{36}) is queued\nFollow it: aegis task logs \1 --follow\n/.exec(
          said,
        )?.[1]
      expect(await ok(aegis, 'task', 'logs', id ?? '', '--follow')).toMatch(
        /completed +after 1 iteration\n$/,
      )
    })

    it('lets Ctrl-C detach from a task, which goes on until it is cancelled', async () => {
      const aegis = await openWithDaemon()
      await ok(aegis, 'agent', 'deploy', await writeAgent(aegis, 'forever', forever))
      const watching = aegis.start('task', 'execute', 'forever', '--follow')
      await watching.said(/stdout +\| up/)
      watching.child.kill('SIGINT')
      const ran = await watching.ended
      expect(ran.code).toBe(130)
      const id =
        /still running; stop it with: aegis task cancel ([0-9a-f-]{36})/.exec(ran.stderr)?.[1] ?? ''
      expect(await json(aegis, 'task', 'status', id)).toMatchObject({ status: 'running' })
      const following = aegis.start('task', 'logs', id, '--follow')
      await following.said(/stdout +\| up/)
      expect(await ok(aegis, 'task', 'cancel', id, '--reason', 'enough')).toBe(
        `Cancelled execution ${id}\n`,
      )
      expect((await following.ended).stdout).toMatch(/cancelled +enough\n$/)
      await fails(aegis, 4, /error: /, 'task', 'cancel', id.replaceAll(/[0-9a-f]/g, '0'))
    })

    it('lets Ctrl-C cancel a task where that was chosen', async () => {
      const aegis = await openWithDaemon()
      await ok(aegis, 'agent', 'deploy', await writeAgent(aegis, 'forever', forever))
      const watching = aegis.start('task', 'execute', 'forever', '-f', '--on-interrupt', 'cancel')
      await watching.said(/stdout +\| up/)
      watching.child.kill('SIGINT')
      expect(await watching.ended).toMatchObject({ code: 5 })
      const [task] = await json<readonly TaskLine[]>(aegis, 'task', 'list')
      expect(task).toMatchObject({ status: 'cancelled' })
    })

    it('exits with 3 where a daemon was asked for and none answers', async () => {
      const aegis = await open()
      await fails(
        aegis,
        3,
        /No daemon answers at http:\/\/127\.0\.0\.1:\d+/,
        'agent',
        'list',
        '--port',
        String(aegis.port),
      )
    })

    it('exits with 3 where the daemon hangs, and kills it only when forced', async () => {
      const aegis = await openWithDaemon()
      const { pid } = await json<{ pid: number }>(aegis, 'daemon', 'status')
      process.kill(pid, 'SIGSTOP')
      await fails(aegis, 3, /does not answer/, 'agent', 'list')
      expect(await ok(aegis, 'daemon', 'status')).toContain('unhealthy')
      await fails(
        aegis,
        1,
        /has not stopped within 0 s\nhelp: .*--force/,
        'daemon',
        'stop',
        '-t',
        '0',
      )
      expect(await ok(aegis, 'daemon', 'stop', '-f', '-t', '0')).toBe(
        `Daemon killed (pid ${pid})\n`,
      )
    })
  },
)

describe.skipIf(reason !== undefined)('without a daemon', { timeout }, () => {
  it('waits for a task, and Ctrl-C cancels it', async () => {
    const aegis = await open()
    await ok(aegis, 'agent', 'deploy', await writeAgent(aegis, 'forever', forever))
    const watching = aegis.start('task', 'execute', 'forever', '--follow')
    await watching.said(/stdout +\| up/)
    watching.child.kill('SIGINT')
    expect(await watching.ended).toMatchObject({ code: 5 })
    expect(await json(aegis, 'task', 'list')).toMatchObject([{ status: 'cancelled' }])
  })

  it('keeps a second command off the home that the first one works on', async () => {
    const aegis = await open()
    await ok(aegis, 'agent', 'deploy', await writeAgent(aegis, 'forever', forever))
    const watching = aegis.start('task', 'execute', 'forever', '--follow')
    await watching.said(/stdout +\| up/)
    await fails(aegis, 1, /error: Another AEGIS process is using/, 'agent', 'list')
    watching.child.kill('SIGINT')
    await watching.ended
  })
})
