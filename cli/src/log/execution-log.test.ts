import type { ExecutionEvent, SandboxId } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeStyle } from '../terminal/style.ts'
import { makeExecutionLog } from './execution-log.ts'

const at = '2026-11-22T15:04:05.123Z'
const quiet = { verbose: false, errorsOnly: false, style: makeStyle(false) }

function print(events: readonly ExecutionEvent[], options: Partial<typeof quiet> = {}): string[] {
  const log = makeExecutionLog({ ...quiet, ...options })
  return [...events.flatMap((event) => log.add(event)), ...log.end()].map((line) =>
    line.replace(`${at} `, ''),
  )
}

function says(stream: 'stdout' | 'stderr', text: string): ExecutionEvent {
  return { type: 'execution.console', at, iteration: 1, stream, text }
}

const usage = { cpuUserMs: 40, cpuSystemMs: 10, maxRssBytes: 23 * 1024 * 1024 }

describe('the log of an execution', () => {
  it('puts pieces of console output together into lines', () => {
    expect(
      print([says('stdout', 'Hel'), says('stderr', 'warn\n'), says('stdout', 'lo\nbye')]),
    ).toEqual(['stderr      | warn', 'stdout      | Hello', 'stdout      | bye'])
  })

  it('shows prompts only when asked for details, and bootstrap lines when the node recorded them', () => {
    const events: ExecutionEvent[] = [
      { type: 'execution.iteration-started', at, iteration: 1, action: 'Say\nit' },
      says('stderr', '[BOOTSTRAP DEBUG] Bootstrap starting\n'),
    ]
    expect(print(events)).toEqual([
      'iteration   1 started',
      'stderr      | [BOOTSTRAP DEBUG] Bootstrap starting',
    ])
    expect(print(events, { verbose: true })).toEqual([
      'iteration   1 started',
      'prompt      Say',
      'prompt      it',
      'stderr      | [BOOTSTRAP DEBUG] Bootstrap starting',
    ])
  })

  it('shows who was called, what it cost, what was denied, and why it failed', () => {
    const events: ExecutionEvent[] = [
      {
        type: 'execution.llm-called',
        at,
        iteration: 1,
        call: {
          provider: 'openai',
          model: 'gpt-5',
          alias: 'default',
          prompt: 'p',
          response: 'r',
          promptTokens: 12,
          completionTokens: 34,
          cost: 0.00123,
          durationMs: 820,
          attempts: 2,
        },
      },
      {
        type: 'execution.denied',
        at,
        iteration: 1,
        action: 'dns.resolve',
        subject: 'example.com',
        reason: 'spec.security.network.mode is none',
      },
      {
        type: 'execution.iteration-failed',
        at,
        iteration: 1,
        output: '',
        failure: { cause: 'exit_code', message: 'The command failed.', exitCode: 3 },
        usage,
      },
      {
        type: 'execution.failed',
        at,
        iterations: 1,
        failure: { cause: 'memory_limit', message: 'More than 128Mi.', signal: 'KILL' },
      },
    ]
    expect(print(events)).toEqual([
      'llm         openai/gpt-5 as default: 12 + 34 tokens, 820 ms, cost 0.00123, 2 attempts',
      'denied      dns.resolve example.com: spec.security.network.mode is none',
      'iteration   1 failed: exit_code: The command failed. (exit code 3) (cpu 50 ms, memory 23 MiB)',
      'failed      after 1 iteration: memory_limit: More than 128Mi. (signal KILL)',
    ])
  })

  it('tells, when asked for details, what a sandbox was and how soon it was there', () => {
    const booted = {
      type: 'execution.sandbox-booted',
      at,
      iteration: 1,
      sandboxId: 's1' as SandboxId,
      isolation: 'docker',
      bootMs: 312,
    } as const
    const warm = { ...booted, warm: true, bootMs: 2, image: `sha256:${'a'.repeat(64)}` }
    const events = [booted, { ...warm, applicationKernel: 'gvisor' } as const]
    expect(print(events)).toEqual([])
    expect(print(events, { verbose: true })).toEqual([
      'sandbox     s1 (docker) up in 312 ms',
      'sandbox     s1 (docker, gvisor, image aaaaaaaaaaaa) was warm, ready in 2 ms',
    ])
  })

  it('keeps to what went wrong when asked for errors only', () => {
    const events: ExecutionEvent[] = [
      { type: 'execution.started', at },
      says('stdout', 'fine\n'),
      says('stderr', 'not fine\n[BOOTSTRAP DEBUG] chatter\n'),
      { type: 'execution.completed', at, output: 'fine', iterations: 1 },
    ]
    expect(print(events, { errorsOnly: true })).toEqual(['stderr      | not fine'])
  })

  it('prints each event on lines of its own, whatever an agent writes', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const lines = print(texts.map((text) => says('stdout', text)))
        for (const line of lines) {
          expect(line).toMatch(/^stdout {6}\|/)
          expect(line).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}]/u)
        }
      }),
    )
  })

  it('cuts a line that never ends instead of keeping it', () => {
    const log = makeExecutionLog(quiet)
    const flood = Array.from({ length: 40 }, () => says('stdout', 'x'.repeat(1000)))
    expect(flood.flatMap((event) => log.add(event)).length).toBe(2)
  })
})
