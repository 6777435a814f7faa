import { cp, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { homeAt, readApiToken } from '@aegis/daemon'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testKernel } from '../engine/guest-kernel.ts'
import { whyNoEngine, whyNoQemu } from '../engine/requirements.ts'
import { sharedTestEngine } from '../engine/shared-engine.ts'
import { type AegisCommand, demoAgent } from './aegis-command.ts'
import { openDockerCommand } from './docker-command.ts'
import { ok } from './product-commands.ts'
import { followTask, printedTo, type ToldExecution } from './told-events.ts'

const reason = whyNoQemu() ?? whyNoEngine()

describe.skipIf(reason)(`an agent in a micro-VM${reason ? ` (${reason})` : ''}`, () => {
  let aegis: AegisCommand
  beforeAll(async () => {
    const engine = await sharedTestEngine()
    const [kernels] = await Promise.all([
      testKernel(),
      engine.image('node'),
      engine.image('python'),
    ])
    aegis = await openDockerCommand(engine)
    await cp(kernels, join(aegis.home, 'kernels'), { recursive: true })
    await ok(aegis, 'daemon', 'start', '--port', String(aegis.port))
  }, 180_000)
  afterAll(() => aegis?.[Symbol.asyncDispose]())

  /** With time for a processor that is a program, and shared with whatever else runs here. */
  const patient = async (agent: string): Promise<string> => {
    const manifest = await readFile(demoAgent(agent), 'utf8')
    return aegis.write(`${agent}.yaml`, manifest.replace(/timeout: \d+s/, 'timeout: 100s'))
  }
  const run = (manifest: string, input: string): Promise<ToldExecution> =>
    followTask(aegis, manifest, '--input', input, '--isolation', 'firecracker')

  const timeout = 120_000

  it('gets its input and gives its output, and the command says what ran it', {
    timeout,
  }, async () => {
    const { code, events } = await run(await patient('echo'), 'Hello Machine')
    expect(code, whatWentWrong(events)).toBe(0)
    expect(printedTo('stdout', events)).toContain('Hello Machine')
    expect(bootOf({ events })).toMatchObject({
      isolation: 'firecracker',
      monitor: expect.stringMatching(/^QEMU \d+\.\d+\.\d+, software emulation$/),
      bootPhases: {
        prepare: expect.any(Number),
        monitor: expect.any(Number),
        kernel: expect.any(Number),
        hello: expect.any(Number),
      },
    })
  })

  it('counts among the boots that are measured, phase by phase, and no name is told', {
    timeout,
  }, async () => {
    const { code, events } = await run(await patient('echo'), 'measured')
    expect(code, whatWentWrong(events)).toBe(0)
    const body = await metricsOf(aegis)
    for (const phase of ['prepare', 'monitor', 'kernel', 'hello', 'first_output'])
      expect(body).toMatch(
        new RegExp(
          `^aegis_sandbox_boot_phase_seconds_count\\{isolation="firecracker",phase="${phase}"\\} [1-9]`,
          'm',
        ),
      )
    expect(body).toMatch(/^aegis_sandbox_boot_seconds_count\{isolation="firecracker"\} [1-9]/m)
    expect(body).not.toContain('echo')
  })

  it('comes out of a snapshot once one is made, and not once that is altered', {
    timeout,
  }, async () => {
    const audit = aegis.start('audit', 'tail', '--type', 'sandbox.snapshot-*')
    await audit.said(/snapshot-kept/)
    const second = await run(await patient('echo'), 'again')
    expect(second.code, whatWentWrong(second.events)).toBe(0)
    expect(printedTo('stdout', second.events)).toContain('again')
    expect(bootOf(second)).toMatchObject({
      restored: true,
      bootPhases: { restore: expect.any(Number) },
    })

    const [kept = ''] = await readdir(join(aegis.home, 'snapshots'))
    {
      await using memory = await open(join(aegis.home, 'snapshots', kept, 'memory'), 'r+')
      await memory.write(Buffer.from('!'), 0, 1, 16 << 20)
    }
    // Whoever wants the next one looks at it: this task, or the pool that fills its place.
    const third = await run(await patient('echo'), 'once more')
    expect(third.code, whatWentWrong(third.events)).toBe(0)
    expect(printedTo('stdout', third.events)).toContain('once more')
    expect(await audit.said(/snapshot-refused/)).toContain('code snapshot.altered')
    audit.child.kill('SIGINT')
  })

  it('talks to its model through the one wire it has', { timeout }, async () => {
    const { code, events } = await run(await patient('greeter'), 'Ada')
    expect(code, whatWentWrong(events)).toBe(0)
    expect(printedTo('stdout', events)).toContain('Ada')
  })

  it('reaches nothing of the world and of the host', { timeout }, async () => {
    const { code, events } = await run(demoAgent('snoop'), '')
    expect(code, whatWentWrong(events)).toBe(0)
    expect(printedTo('stdout', events)).toMatch(/\nsnoop: (\d+) attempts, \1 denied, 0 reached\n$/)
  })
})

const bootOf = ({ events }: Pick<ToldExecution, 'events'>) =>
  events.find((event) => event.type === 'execution.sandbox-booted')

async function metricsOf({ home, port }: AegisCommand): Promise<string> {
  const token = await readApiToken(homeAt(home).token)
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { authorization: `Bearer ${token.reveal()}` },
  })
  return answer.text()
}

/** What it said itself, and what was said of it. */
const whatWentWrong = (events: ToldExecution['events']): string =>
  printedTo('stderr', events) + JSON.stringify(events.at(-1))
