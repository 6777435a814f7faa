import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseDockerConfig } from './docker-config.ts'

const path = '/home/me/.docker/config.json'
const basic = (text: string): string => Buffer.from(text).toString('base64')
const entryOf = (entry: unknown) =>
  parseDockerConfig(JSON.stringify({ auths: { 'ghcr.io': entry } }), path).entry('ghcr.io')
const messageOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof AegisError && error.code === 'image.credentials') return error.message
  }
  throw new Error('No such error was thrown')
}

it.each([
  [{ auth: basic('me:pass:word') }, { username: 'me', password: 'pass:word' }],
  [{ auth: basic('me:word\0\0') }, { username: 'me', password: 'word' }],
  [
    { username: 'me', password: 'word' },
    { username: 'me', password: 'word' },
  ],
  [{ auth: basic('me:'), identitytoken: 'token' }, { identitytoken: 'token' }],
  [{ registrytoken: 'token' }, { registrytoken: 'token' }],
  [{}, undefined],
  [{ email: 'me@example.com' }, undefined],
])('reads the entry %j', (entry, expected) => {
  expect(entryOf(entry)).toEqual(expected)
})

it.each([
  ['text'],
  [null],
  [{ auth: 7 }],
  [{ auth: basic('nocolon') }],
  [{ auth: '!' }],
])('refuses the entry %j with its place', (entry) => {
  const text = JSON.stringify({ auths: { 'a.example': {}, 'ghcr.io': entry } }, undefined, 2)
  const message = messageOf(() => parseDockerConfig(text, path).entry('ghcr.io'))
  expect(message).toContain(`${path}:4 cannot be used: the entry for ghcr.io must have`)
})

it('names the helper of a registry before the one for all', () => {
  const text = '{"credHelpers":{"eu.gcr.io":"gcloud"},"credsStore":"desktop.exe"}'
  const config = parseDockerConfig(text, path)
  expect(config.helperOf(['eu.gcr.io'])).toBe('gcloud')
  expect(config.helperOf(['ghcr.io'])).toBe('desktop.exe')
  expect(parseDockerConfig('{}', path).helperOf(['ghcr.io'])).toBeUndefined()
})

it.each(['../../bin/sh', '/bin/sh', 'a b', '-x', 7, ['x']])('refuses %j as a helper', (name) => {
  const config = parseDockerConfig(JSON.stringify({ credsStore: name }), path)
  expect(messageOf(() => config.helperOf(['ghcr.io']))).toContain('credsStore must name a helper')
})

it.each([
  ['{"auths": []}', 'auths must hold an object'],
  ['[]', 'the file must hold an object'],
  ['{"auths":{}', 'this is not JSON'],
])('refuses %s', (text, because) => {
  expect(messageOf(() => parseDockerConfig(text, path))).toContain(
    `${path}:1 cannot be used: ${because}`,
  )
})

it('shows nothing of a file that it refuses', () => {
  const text = '{"auths":{"ghcr.io":{"auth":"U0VDUkVU"}}'
  expect(messageOf(() => parseDockerConfig(text, path))).not.toContain('U0VDUkVU')
  expect(messageOf(() => entryOf({ auth: 'U0VDUkVU' }))).not.toContain('U0VDUkVU')
})

it('takes any file, and throws nothing but what says so', () => {
  const json = fc.record(
    { auths: fc.anything(), credHelpers: fc.anything(), credsStore: fc.anything() },
    { requiredKeys: [] },
  )
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    json.map((value) => JSON.stringify(value) ?? ''),
  )
  fc.assert(
    fc.property(text, fc.oneof(fc.string(), fc.constant('__proto__')), (file, server) => {
      try {
        const config = parseDockerConfig(file, path)
        config.helperOf([server])
        for (const one of [...config.servers, server]) config.entry(one)
      } catch (error) {
        expect(error).toBeInstanceOf(AegisError)
      }
    }),
  )
})
