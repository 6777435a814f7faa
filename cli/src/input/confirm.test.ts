import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { recordTerminal } from '../testing/record-terminal.ts'
import { confirm } from './confirm.ts'

function ask(
  typed: string,
  options: { stdinIsTty?: boolean; isTty?: boolean; json?: boolean } = {},
) {
  const { stdinIsTty = true, isTty = true, json = false } = options
  const stdin = Object.assign(new PassThrough(), { isTTY: stdinIsTty })
  stdin.end(typed)
  const terminal = recordTerminal({ isTty, json })
  return confirm('Go?', { terminal, stdin })
}

it.each([
  ['y\n', true],
  ['YES\n', true],
  [' y \n', true],
  ['\n', false],
  ['no\n', false],
  ['yesterday\n', false],
  ['', false],
])('takes only a yes for a yes: %j', async (typed, expected) => {
  expect(await ask(typed)).toBe(expected)
})

it('asks nobody who cannot see the question or cannot answer', async () => {
  expect(await ask('y\n', { stdinIsTty: false })).toBeUndefined()
  expect(await ask('y\n', { isTty: false })).toBeUndefined()
  expect(await ask('y\n', { json: true })).toBeUndefined()
})
