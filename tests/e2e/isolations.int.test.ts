import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { whyNoEngine } from '../engine/requirements.ts'
import { sharedTestEngine } from '../engine/shared-engine.ts'
import { type AegisCommand, demoAgent } from './aegis-command.ts'
import { openDockerCommand } from './docker-command.ts'
import { ok } from './product-commands.ts'
import { followTask, printedTo, sequenceOf, type ToldExecution } from './told-events.ts'

const reason = whyNoProcessHost() ?? whyNoEngine()
const timeout = 60_000

const inputs = {
  echo: 'Hello Daemon',
  greeter: 'Ada',
  coder: 'the first n Fibonacci numbers',
  debater: 'Cities should ban cars',
  poet: 'the sea at night',
  piglatin: 'Hello friend',
  snoop: '',
}

/** What an agent is denied has one reason in a process and may have another in a container. */
const withoutReasons = (output: string): string => output.replaceAll(/^(denied .{42}).*$/gm, '$1')

describe.skipIf(reason !== undefined).each(['with a daemon', 'without a daemon'] as const)(
  `an agent in a process and in a container, %s${reason ? ` (${reason})` : ''}`,
  { timeout },
  (mode) => {
    let aegis: AegisCommand
    beforeAll(async () => {
      const engine = await sharedTestEngine()
      await Promise.all([engine.image('node'), engine.image('python')])
      aegis = await openDockerCommand(engine)
      if (mode === 'without a daemon') return
      await ok(aegis, 'daemon', 'start', '--port', String(aegis.port))
    }, 180_000)
    afterAll(() => aegis?.[Symbol.asyncDispose]())

    const runUnder = (isolation: string, agent: string, input: string): Promise<ToldExecution> =>
      followTask(aegis, demoAgent(agent), '--input', input, '--isolation', isolation)

    it.each(
      Object.entries(inputs),
    )('gives the same output and tells the same: %s', async (...told) => {
      const inProcess = await runUnder('process', ...told)
      const inContainer = await runUnder('docker', ...told)
      for (const { code, events } of [inProcess, inContainer]) {
        expect(code, printedTo('stderr', events)).toBe(0)
      }
      expect(withoutDenials(inContainer.events)).toEqual(withoutDenials(inProcess.events))
      const [one, other] = [inProcess, inContainer].map(({ events }) => printedTo('stdout', events))
      expect(withoutReasons(other ?? '')).toBe(withoutReasons(one ?? ''))
      expect(bootedIn(inProcess)).toEqual(['process'])
      expect(bootedIn(inContainer)).toEqual(['docker'])
      if (told[0] === 'snoop')
        expect(other).toMatch(/\nsnoop: (\d+) attempts, \1 denied, 0 reached\n$/)
    })
  },
)

/** A process sandbox also tells of addresses that nobody takes over; a container does not see them. */
const withoutDenials = (events: ToldExecution['events']): readonly string[] =>
  sequenceOf(events.filter(({ type }) => type !== 'execution.denied'))

function bootedIn({ events }: ToldExecution): readonly string[] {
  return events.flatMap((event) =>
    event.type === 'execution.sandbox-booted' ? [event.isolation] : [],
  )
}
