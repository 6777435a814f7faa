import type { ControlPlane, ExecutionEvent, VersionedEvent } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { recordTerminal } from '../testing/record-terminal.ts'
import { watchExecution } from './watch-execution.ts'

const at = '2026-11-22T15:04:05.123Z'
const completed: ExecutionEvent = { type: 'execution.completed', at, output: 'done', iterations: 1 }

/** A node with one execution, whose events the test sends, and a keyboard with Ctrl-C on it. */
function setUp(options: { readonly onInterrupt: 'detach' | 'cancel'; readonly isTty?: boolean }) {
  let send: (event: ExecutionEvent | 'end' | Error) => void = () => {}
  let press: (count: number) => void = () => {}
  const cancels: string[] = []
  const notes: string[] = []

  async function* events(_id: string, _options: object, signal: AbortSignal) {
    for (let version = 1; ; version += 1) {
      const { promise, resolve, reject } = Promise.withResolvers<ExecutionEvent | 'end'>()
      send = (event) => (event instanceof Error ? reject(event) : resolve(event))
      signal.addEventListener('abort', () => resolve('end'))
      const event = await promise
      if (event === 'end') return
      yield { version, event } satisfies VersionedEvent
    }
  }
  const executions = {
    events,
    async cancel(id: string) {
      cancels.push(id)
      return 'cancelled'
    },
  }
  const terminal = recordTerminal({ isTty: options.isTty === true })
  const outcome = watchExecution(
    {
      terminal,
      interrupts: {
        listen(onInterrupt: (count: number) => void) {
          press = onInterrupt
          return { [Symbol.dispose]: () => {} }
        },
      },
    } as never,
    { controlPlane: { executions } as unknown as ControlPlane } as never,
    'e1',
    { onInterrupt: options.onInterrupt, onItem: () => {}, beforeNote: () => notes.push('note') },
  )
  return {
    outcome,
    cancels,
    terminal,
    send: (event: ExecutionEvent | 'end' | Error) => send(event),
    press: (count: number) => press(count),
  }
}

describe('watching an execution', () => {
  it('ends with the output', async () => {
    const { outcome, send } = setUp({ onInterrupt: 'detach' })
    send(completed)
    await Promise.resolve()
    setImmediate(() => send('end'))
    expect(await outcome).toMatchObject({ kind: 'ended', status: 'completed', output: 'done' })
  })

  it('detaches on Ctrl-C, and says how to stop the execution', async () => {
    const { outcome, press, cancels, terminal } = setUp({ onInterrupt: 'detach' })
    press(1)
    expect(await outcome).toEqual({ kind: 'detached' })
    expect(cancels).toEqual([])
    expect(terminal.stderr()).toContain('still running; stop it with: aegis task cancel e1')
  })

  it('cancels on the second Ctrl-C of somebody at a terminal, and waits for the end', async () => {
    const { outcome, press, send, cancels } = setUp({ onInterrupt: 'detach', isTty: true })
    press(1)
    press(2)
    expect(cancels).toEqual(['e1'])
    send({ type: 'execution.cancelled', at })
    setImmediate(() => send('end'))
    expect(await outcome).toMatchObject({ kind: 'ended', status: 'cancelled' })
  })

  it('cancels on the first Ctrl-C where that was asked for, and gives up on the second', async () => {
    const { outcome, press, cancels } = setUp({ onInterrupt: 'cancel' })
    press(1)
    expect(cancels).toEqual(['e1'])
    press(2)
    expect(await outcome).toEqual({ kind: 'detached' })
  })

  it('says so when the node goes away in the middle', async () => {
    const ended = setUp({ onInterrupt: 'detach' })
    ended.send('end')
    await expect(ended.outcome).rejects.toMatchObject({ code: 'node.stream-ended' })
    const broken = setUp({ onInterrupt: 'detach' })
    broken.send(new Error('connection lost'))
    await expect(broken.outcome).rejects.toThrow('connection lost')
  })
})
