import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LimitCause, Sandbox } from '@aegis/core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { hostKinds } from '../contract/hosts/host-kinds.ts'
import { never } from '../contract/hosts/host-scene.ts'
import { describeOnHosts, type SandboxHost } from '../contract/hosts/sandbox-host.ts'
import { collect } from '../contract/sandbox-driver.ts'

/** In a machine the guest is the first process: a script in its place would have no interpreter. */
const kinds = hostKinds.filter(({ runsAnyGuest }) => runsAnyGuest)

describeOnHosts(kinds, 'a guest that was taken over', (kind) => {
  let directory: string
  let payload: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-hostile-'))
    payload = await readFile(new URL('./payloads/hostile-guest.cjs', import.meta.url), 'utf8')
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  const openWith = async (mode: string): Promise<SandboxHost> => {
    const guestPath = join(directory, mode)
    const program = payload.replace("'MODE'", `'${mode}'`).replace('NODE', kind.nodePath ?? '')
    await writeFile(guestPath, program, { mode: 0o755 })
    const host = await kind.open({
      guestPath,
      helloTimeoutMs: 1500,
      pingIntervalMs: 100,
      pingTimeoutMs: 500,
    })
    onTestFinished(() => host[Symbol.asyncDispose]())
    return host
  }
  const boot = async (host: SandboxHost): Promise<Sandbox> => {
    const sandbox = await host.runtime.boot(host.spec(), never)
    onTestFinished(() => sandbox[Symbol.asyncDispose]())
    return sandbox
  }
  const expectAllSettled = async (host: SandboxHost, sandbox: Sandbox) => {
    const ended = { kind: 'unavailable', code: 'sandbox.ended' }
    await expect(sandbox.readFile('/tmp/x', 1, never)).rejects.toMatchObject(ended)
    await sandbox[Symbol.asyncDispose]()
    await host.expectNothingLeft()
  }

  it.each([
    'silent',
    'garbage',
    'zeros',
    'leave',
    'future-version',
    'hello-and-hang',
    'half-a-hello',
    // Of a container the host asks for a file before it takes it for booted.
    ...(kind.bootsImages ? ['keep-files'] : []),
  ])('before it is trusted with anything makes the boot fail and leaves nothing: %s', async (mode) => {
    const host = await openWith(mode)
    await expect(host.runtime.boot(host.spec(), never)).rejects.toMatchObject({
      name: 'AegisError',
      kind: expect.stringMatching(/unavailable|timeout|unsupported/),
    })
    await host.expectNothingLeft()
  })

  it.each<[string, LimitCause]>([
    ['vanish', 'sandbox_lost'],
    ['ignore-pings', 'guest_unresponsive'],
    ['hello-again', 'protocol_violation'],
    ['configured-again', 'protocol_violation'],
    ['unknown-type', 'protocol_violation'],
    ['host-frame', 'protocol_violation'],
    ['data-on-no-channel', 'protocol_violation'],
    ['data-on-session', 'protocol_violation'],
    ['exit-of-nothing', 'protocol_violation'],
    ['oversized-frame', 'protocol_violation'],
    ['pong-to-nobody', 'protocol_violation'],
    ['stats-to-nobody', 'protocol_violation'],
    ['connect-on-host-channel', 'protocol_violation'],
    ['connect-to-nonsense', 'protocol_violation'],
    ['connect-flood', 'protocol_violation'],
    ['connect-twice', 'protocol_violation'],
    ['connect-to-odd-name', 'protocol_violation'],
    ['connect-to-line-break', 'protocol_violation'],
    ['connect-to-odd-address', 'protocol_violation'],
    ['connect-through-proxy', 'protocol_violation'],
    ['notice-of-nothing', 'protocol_violation'],
    ['notice-of-half-an-address', 'protocol_violation'],
    ['notice-of-connections-flood', 'protocol_violation'],
    ['notice-flood', 'protocol_violation'],
    ['notice-with-controls', 'protocol_violation'],
  ])('ends its own sandbox and nothing else: %s is %s', async (mode, cause) => {
    const host = await openWith(mode)
    const outcome = await boot(host).catch((error: Error) => error)
    // It may be as quick as the boot itself.
    if (outcome instanceof Error) expect(outcome).toMatchObject({ details: { cause } })
    else {
      expect(await outcome.ended).toBe(cause)
      await expectAllSettled(host, outcome)
    }
    await host.expectNothingLeft()
  })

  it.each([
    'started-twice',
    'output-before-start',
    'huge-credit',
    'negative-credit',
    'zero-credit',
    'ignore-window',
    'crumb-flood',
    'data-after-end',
    'exit-twice',
    'odd-exit',
  ])('settles the commands it cheats: %s', async (mode) => {
    const host = await openWith(mode)
    const sandbox = await boot(host)
    const command = { argv: ['true'] as const, env: { PATH: kind.path }, cwd: '/' }
    const running = await sandbox.exec({ ...command, argv: ['true'] }, never).catch(() => undefined)
    // The output is not read until the end, so that a guest without restraint shows.
    expect(await sandbox.ended).toBe('protocol_violation')
    if (running !== undefined) {
      const { exit, stdout } = await collect(running)
      // The first of two exits was a proper one.
      expect(exit.code === 0).toBe(mode === 'exit-twice')
      expect(stdout.length).toBeLessThanOrEqual(512 * 1024)
    }
    await expectAllSettled(host, sandbox)
  })

  it('that does not leave with its wire is killed', async () => {
    const host = await openWith('stay')
    const sandbox = await boot(host)
    await sandbox[Symbol.asyncDispose]()
    expect(await sandbox.ended).toBeUndefined()
    await host.expectNothingLeft()
  })
})
