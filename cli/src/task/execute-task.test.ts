import type { ExecutionEvent, ExecutionId, VersionedEvent } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { aProgress } from '../testing/an-image.ts'
import { fakeContext } from '../testing/fake-context.ts'
import { executeTask } from './execute-task.ts'

const at = '2026-11-22T15:04:05.123Z'
const happened: readonly ExecutionEvent[] = [
  { type: 'execution.image-pulling', at, progress: aProgress() },
  { type: 'execution.image-pulling', at, progress: aProgress({ layersDone: 2 }) },
  {
    type: 'execution.image-pulled',
    at,
    image: { reference: 'python:3.11', id: 'sha256:1' },
    durationMs: 900,
  },
  { type: 'execution.completed', at, output: 'done', iterations: 1 },
]

/** A node whose one execution fetches an image and completes. */
function setUp(options: Parameters<typeof fakeContext>[1]) {
  return fakeContext(
    {
      executions: {
        execute: async () => 'e1' as ExecutionId,
        async *events(): AsyncGenerator<VersionedEvent> {
          for (const [at, event] of happened.entries()) yield { version: at + 1, event }
        },
      },
      node: { status: async () => ({ scriptedModel: false }) as never },
    },
    options,
  )
}

describe('a task whose image must be fetched', () => {
  it('shows the pull where somebody waits for the answer, and only there', async () => {
    const { context, terminal } = setUp({ isTty: true })
    expect(await executeTask(context, ['echo'], { wait: true, priority: 0 })).toBe(0)
    expect(terminal.stdout()).toBe('done\n')
    expect(terminal.stderr()).toContain('waiting for the agent')
    expect(terminal.stderr().endsWith('\r\x1b[2K')).toBe(true)
    const piped = setUp({})
    await executeTask(piped.context, ['echo'], { wait: true, priority: 0 })
    expect([piped.terminal.stdout(), piped.terminal.stderr()]).toEqual(['done\n', ''])
  })

  it('shows it in the log that is followed: once, not with every step', async () => {
    const { context, terminal } = setUp({})
    await executeTask(context, ['echo'], { follow: true, priority: 0 })
    expect(terminal.stdout().replaceAll(`${at} `, '')).toBe(
      [
        'image       pulling python:3.11: 1 of 3 layers, 0 B of 40 MiB',
        'image       python:3.11 (sha256:1) pulled in 900 ms',
        'completed   after 1 iteration',
        '',
      ].join('\n'),
    )
  })

  it('gives programs every event', async () => {
    const { context, terminal } = setUp({ json: true })
    await executeTask(context, ['echo'], { follow: true, priority: 0 })
    const types = terminal
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event.type)
    expect(types).toEqual(happened.map(({ type }) => type))
  })
})
