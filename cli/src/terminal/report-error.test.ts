import { AegisError, type ErrorKind } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { recordTerminal } from '../testing/record-terminal.ts'
import { describeError, reportFailure } from './report-error.ts'

function exitCodeOf(kind: ErrorKind, code: string): number {
  return describeError(new AegisError(kind, code, 'Something')).exitCode
}

describe('an error', () => {
  it('becomes the exit code that the reference page promises', () => {
    expect(exitCodeOf('invalid', 'manifest.invalid')).toBe(2)
    expect(exitCodeOf('unavailable', 'daemon.unhealthy')).toBe(3)
    expect(exitCodeOf('unavailable', 'node.unreachable')).toBe(3)
    expect(exitCodeOf('unavailable', 'store.corrupt')).toBe(1)
    expect(exitCodeOf('not-found', 'agent.absent')).toBe(4)
    expect(exitCodeOf('not-found', 'execution.absent')).toBe(4)
    expect(exitCodeOf('conflict', 'agent.exists')).toBe(1)
    expect(describeError(new Error('A bug')).exitCode).toBe(1)
  })

  it('is told on stderr, with what to do next, and cannot act on the terminal', () => {
    const terminal = recordTerminal()
    const error = new AegisError('invalid', 'x.y', 'Bad \x1b[2J name', {
      details: { help: 'mend it' },
    })
    reportFailure(terminal, describeError(error))
    expect(terminal.stderr()).toBe('error: Bad \\x1b[2J name\nhelp: mend it\n')
    expect(terminal.stdout()).toBe('')
  })

  it('is one JSON object where JSON was asked for', () => {
    const terminal = recordTerminal({ json: true })
    reportFailure(
      terminal,
      describeError(
        new AegisError('not-found', 'agent.absent', 'No such agent', { details: { ref: 'x' } }),
      ),
    )
    expect(JSON.parse(terminal.stderr())).toEqual({
      error: 'No such agent',
      code: 'agent.absent',
      exit_code: 4,
      details: { ref: 'x' },
    })
  })
})
