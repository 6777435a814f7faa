import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LimitCause, Sandbox } from '@aegis/core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { hostKinds } from '../contract/hosts/host-kinds.ts'
import { never } from '../contract/hosts/host-scene.ts'
import { qemuHostKind } from '../contract/hosts/machine-host.ts'
import {
  describeOnHosts,
  type SandboxHost,
  type SandboxHostKind,
} from '../contract/hosts/sandbox-host.ts'
import { collect } from '../contract/sandbox-driver.ts'
import { whyNotNow } from '../engine/requirements.ts'
import { compilePayload } from './attack-box.ts'

/** The ways to break the wire protocol, by when. See payloads/hostile-guest.c. */
interface Modes {
  readonly untrusted: readonly string[]
  readonly unproven: readonly (readonly [mode: string, outcome: object])[]
  readonly ending: readonly (readonly [mode: string, cause: LimitCause])[]
  readonly cheating: readonly string[]
}

const refusedStep = { code: 'guest.reseed', details: { step: 'reseed', errno: 'EPERM' } }
const showsNothing = { code: 'guest.lost', details: { cause: 'protocol_violation' } }

const all: Modes = {
  untrusted: [
    'silent',
    'garbage',
    'zeros',
    'leave',
    'future-version',
    'hello-and-hang',
    'half-a-hello',
  ],
  unproven: [
    ['reseed-refused', refusedStep],
    ['no-reseed', showsNothing],
  ],
  ending: [
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
  ],
  cheating: [
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
  ],
}

/** One of each, for a kind of which all take minutes. */
const telling: Modes = {
  untrusted: [],
  unproven: all.unproven,
  ending: [['oversized-frame', 'protocol_violation']],
  cheating: ['ignore-window'],
}

describeOnHosts(hostKinds, 'a guest that was taken over', (kind) => describeModes(kind, all))
if (whyNotNow())
  describeOnHosts([qemuHostKind], 'a guest that was taken over, in some ways', (kind) =>
    describeModes(kind, telling),
  )

function describeModes(kind: SandboxHostKind, modes: Modes): void {
  let directory: string
  let payload: Buffer
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-hostile-'))
    payload = Buffer.from(await compilePayload('hostile-guest'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  const openWith = async (mode: string): Promise<SandboxHost> => {
    const guestPath = join(directory, mode)
    const program = Buffer.from(payload)
    program.write(`${mode}\0`, program.indexOf('MODE'.repeat(8)), 'latin1')
    await writeFile(guestPath, program, { mode: 0o755 })
    const patience = Math.min(kind.slowness, 4)
    const host = await kind.open({
      guestPath,
      helloTimeoutMs: 1500 * patience,
      pingIntervalMs: 100,
      pingTimeoutMs: 500 * patience,
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
    ...modes.untrusted,
    // Of a container the host asks for a file before it takes it for booted.
    ...(kind.containers ? ['keep-files'] : []),
  ])('before it is trusted with anything makes the boot fail and leaves nothing: %s', async (mode) => {
    const host = await openWith(mode)
    await expect(host.runtime.boot(host.spec(), never)).rejects.toMatchObject({
      name: 'AegisError',
      kind: expect.stringMatching(/unavailable|timeout|unsupported/),
    })
    await host.expectNothingLeft()
  })

  it.each(
    kind.ownKernel ? modes.unproven : [],
  )('that proves no fresh random numbers is refused for just that, and leaves nothing: %s', async (mode, outcome) => {
    const host = await openWith(mode)
    await expect(host.runtime.boot(host.spec(), never)).rejects.toMatchObject({
      name: 'AegisError',
      kind: 'unavailable',
      ...outcome,
    })
    await host.expectNothingLeft()
  })

  it.runIf(kind.ownKernel)('that shows the random numbers of another one is refused', async () => {
    const host = await openWith('same-numbers')
    await boot(host)
    await expect(boot(host)).rejects.toMatchObject({
      code: 'guest.reseed',
      details: { step: 'proof' },
    })
  })

  it.each(modes.ending)('ends its own sandbox and nothing else: %s is %s', async (mode, cause) => {
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

  it.each(modes.cheating)('settles the commands it cheats: %s', async (mode) => {
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
}
