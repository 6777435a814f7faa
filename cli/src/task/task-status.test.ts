import type { ExecutionDetail, VersionedEvent } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { fakeContext } from '../testing/fake-context.ts'
import { taskStatus } from './task-status.ts'

const at = '2026-11-22T15:04:05.123Z'
const detail = {
  id: 'e1',
  agentId: 'a1',
  agentName: 'echo',
  agentRevision: 1,
  status: 'running',
  priority: 0,
  isolation: 'docker',
  queuedAt: at,
  startedAt: at,
  endedAt: undefined,
  iterations: 2,
  interruptions: 0,
  promptTokens: 0,
  completionTokens: 0,
  cost: 0,
  failure: undefined,
  input: {},
  output: undefined,
  iterationDetails: [],
} as unknown as ExecutionDetail

async function* events(): AsyncGenerator<VersionedEvent> {
  const booted = { type: 'execution.sandbox-booted', at, isolation: 'docker' } as const
  const named = (sandboxId: string) => ({ sandboxId }) as { sandboxId: never }
  yield { version: 1, event: { type: 'execution.started', at } }
  yield { version: 2, event: { ...booted, ...named('s1'), iteration: 1, bootMs: 300 } }
  yield { version: 3, event: { ...booted, ...named('s2'), iteration: 2, bootMs: 2, warm: true } }
}
const executions = { find: async () => detail, events }

describe('aegis task status', () => {
  it('tells of the sandboxes when asked for details', async () => {
    const { context, terminal } = fakeContext({ executions })
    await taskStatus(context, ['e1'], { verbose: true })
    expect(terminal.stdout().match(/^Sandbox .*$/gm)).toEqual([
      'Sandbox     iteration 1 (docker) up in 300 ms',
      'Sandbox     iteration 2 (docker) was warm, ready in 2 ms',
    ])
    const plain = fakeContext({ executions })
    await taskStatus(plain.context, ['e1'], {})
    expect(plain.terminal.stdout()).not.toContain('Sandbox')
  })

  it('has them in its JSON then', async () => {
    const { context, terminal } = fakeContext({ executions }, { json: true })
    await taskStatus(context, ['e1'], { verbose: true })
    expect(JSON.parse(terminal.stdout())).toMatchObject({
      id: 'e1',
      sandboxes: [
        { iteration: 1, id: 's1', warm: false, boot_ms: 300, image: null },
        { iteration: 2, id: 's2', warm: true, boot_ms: 2, application_kernel: null },
      ],
    })
  })
})
