import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { Secret } from './secret.ts'

const secret = new Secret('sk-very-private')

it('prints as [secret] however it is printed', () => {
  expect(String(secret)).toBe('[secret]')
  expect(`${secret}`).toBe('[secret]')
  expect(JSON.stringify({ key: secret })).toBe('{"key":"[secret]"}')
  expect(inspect({ key: secret }, { showHidden: true, depth: 9 })).not.toContain('private')
})

it('gives its text to whoever asks by name', () => {
  expect(secret.reveal()).toBe('sk-very-private')
})

it('takes itself out of a text, as often as it occurs', () => {
  expect(secret.redact('a sk-very-private b sk-very-private')).toBe('a [secret] b [secret]')
})

it('leaves texts alone when it is empty', () => {
  expect(new Secret('').redact('abc')).toBe('abc')
})
