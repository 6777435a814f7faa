import type { ExecutionEvent } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { type ClientNode, openClientNode, whyNoPython } from './client-node.ts'

const reason = (await whyNoProcessHost()) ?? (await whyNoPython())

let node: ClientNode
beforeAll(async () => {
  if (reason === undefined) node = await openClientNode()
})
afterAll(() => node?.[Symbol.asyncDispose]())

describe.skipIf(reason !== undefined)(`the bootstrap${reason ? ` (${reason})` : ''}`, () => {
  it.each([
    ['one line', 'Say hello'],
    ['all of Unicode', 'Say Grüße, мир, 世界, 👩‍🚀 and \u0007'],
    ['no rule', 'Something\nelse\n\n'],
    ['more than an argument can hold', `Say ${'a long story '.repeat(20_000)}`],
  ])('makes the same events in Python and in JavaScript, for %s', async (_, prompt) => {
    const [python, javascript] = await Promise.all([
      tracesOf('python', prompt),
      tracesOf('javascript', prompt),
    ])
    expect(python).toEqual(javascript)
    expect(python.output).not.toBe('')
    expect(python.events).toContainEqual(expect.objectContaining({ type: 'execution.llm-called' }))
  })
})

/** What an agent left, without what differs from run to run. */
interface Traces {
  readonly events: readonly object[]
  /** Apart from the events: how it was cut into some depends on its pace. */
  readonly output: string
}

async function tracesOf(language: string, prompt: string): Promise<Traces> {
  const manifest = aManifest(`in-${language}`, {
    runtime: { language },
    resources: { cpu: 1000, memory: '128Mi' },
  })
  await node.plane.agents.deploy(manifest)
  const { events } = await node.finish(manifest.metadata.name, prompt)
  const output = events.flatMap((event) => (event.type === 'execution.console' ? event.text : []))
  const others = events.filter(({ type }) => type !== 'execution.console')
  return { events: others.map(withoutChance), output: output.join('') }
}

const byChance = /^(at|agentId|agentName|sandboxId|bootMs|bootPhases|durationMs|usage)$/

const withoutChance = (event: ExecutionEvent): object =>
  JSON.parse(JSON.stringify(event, (key, value) => (byChance.test(key) ? undefined : value)))
