import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openRegistryCredentials } from './registry-credentials.ts'

let directory: string
const signal = new AbortController().signal

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-credentials-'))
})
afterEach(() => rm(directory, { recursive: true }))

const open = (helperTimeoutMs = 20_000) =>
  openRegistryCredentials({
    directory,
    environment: { PATH: `${directory}/bin:/usr/bin:/bin` },
    helperTimeoutMs,
  })
const write = (config: object | string) =>
  writeFile(
    join(directory, 'config.json'),
    typeof config === 'string' ? config : JSON.stringify(config),
  )
const headerFor = async (registry: string): Promise<unknown> => {
  const secret = await open().headerFor(registry, signal)
  return secret && JSON.parse(Buffer.from(secret.reveal(), 'base64url').toString())
}
async function writeHelper(name: string, script: string): Promise<void> {
  await mkdir(join(directory, 'bin'), { recursive: true })
  await writeFile(join(directory, 'bin', `docker-credential-${name}`), `#!/bin/sh\n${script}\n`, {
    mode: 0o755,
  })
}
const auth = Buffer.from('me:word').toString('base64')

it('has nothing where Docker was never logged in', async () => {
  expect(await headerFor('docker.io')).toBeUndefined()
  await write('')
  expect(await headerFor('docker.io')).toBeUndefined()
})

it.each([
  ['docker.io', 'https://index.docker.io/v1/', 'https://index.docker.io/v1/'],
  ['docker.io', 'index.docker.io', 'https://index.docker.io/v1/'],
  ['ghcr.io', 'ghcr.io', 'ghcr.io'],
  ['ghcr.io', 'https://ghcr.io/v2/', 'ghcr.io'],
  ['127.0.0.1:5000', 'http://127.0.0.1:5000', '127.0.0.1:5000'],
])('finds what is for %s under %s', async (registry, key, serveraddress) => {
  await write({ auths: { 'other.example': { auth: '!' }, [key]: { auth } } })
  expect(await headerFor(registry)).toEqual({ username: 'me', password: 'word', serveraddress })
  expect(await headerFor('quay.io')).toBeUndefined()
})

it('writes a header that every engine can read', async () => {
  await write({ auths: { 'ghcr.io': { username: '~~~???>>>', password: 'ÿÿÿ' } } })
  const header = (await open().headerFor('ghcr.io', signal))?.reveal()
  expect(header).toMatch(/^[A-Za-z0-9_-]+={0,2}$/)
  expect(header?.length).toSatisfy((length: number) => length % 4 === 0)
})

it('shows nothing when it is printed', async () => {
  await write({ auths: { 'ghcr.io': { auth } } })
  expect(`${await open().headerFor('ghcr.io', signal)}`).toBe('[secret]')
})

it('asks the helper that the config names, with the server on its input', async () => {
  await writeHelper(
    'test',
    'printf \'{"ServerURL":"%s","Username":"me","Secret":"word"}\' "$(cat)"',
  )
  await write({ credsStore: 'test', auths: { 'https://index.docker.io/v1/': {} } })
  const serveraddress = 'https://index.docker.io/v1/'
  expect(await headerFor('docker.io')).toEqual({ username: 'me', password: 'word', serveraddress })
})

it('takes a token from a helper', async () => {
  await writeHelper('test', 'echo \'{"ServerURL":"","Username":"<token>","Secret":"word"}\'')
  await write({ credHelpers: { 'ghcr.io': 'test' } })
  expect(await headerFor('ghcr.io')).toEqual({ identitytoken: 'word', serveraddress: 'ghcr.io' })
})

it('has nothing where its helper has nothing', async () => {
  await writeHelper('test', 'echo credentials not found in native keychain; exit 1')
  await write({ credsStore: 'test' })
  expect(await headerFor('ghcr.io')).toBeUndefined()
})

it.each([
  ['exit 3', 'it failed: status 3'],
  ['echo no keychain is open; exit 1', 'it failed: no keychain is open'],
  ['echo hello', 'its answer is not what a helper says'],
  ['yes', 'it says more than 65536 bytes'],
])('tells what is wrong with a helper that does %s', async (script, because) => {
  await writeHelper('test', script)
  await write({ credsStore: 'test' })
  const message = expect.stringContaining(
    `docker-credential-test that Docker's config names cannot be used: ${because}`,
  )
  await expect(headerFor('ghcr.io')).rejects.toMatchObject({ code: 'image.credentials', message })
})

it('tells that a helper is missing', async () => {
  await write({ credsStore: 'absent' })
  const message = expect.stringContaining('docker-credential-absent')
  await expect(headerFor('ghcr.io')).rejects.toMatchObject({ code: 'image.credentials', message })
})

it('ends a helper that does not end, and does not wait for its children', async () => {
  await writeHelper('test', 'sleep 60 & sleep 60')
  await write({ credsStore: 'test' })
  const asking = open(200).headerFor('ghcr.io', signal)
  const message = expect.stringContaining('it did not end within 200 ms')
  await expect(asking).rejects.toMatchObject({ code: 'image.credentials', message })
})

it('ends a helper when it is cancelled', async () => {
  await writeHelper('test', 'exec sleep 60')
  await write({ credsStore: 'test' })
  const controller = new AbortController()
  const asking = open().headerFor('ghcr.io', controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(asking).rejects.toBe(reason)
})

it('names the file and the line that it cannot read', async () => {
  await write('{\n"auths": {\n"ghcr.io": oops\n}}')
  const message = expect.stringContaining(`${directory}/config.json:3 cannot be used`)
  await expect(headerFor('ghcr.io')).rejects.toMatchObject({ code: 'image.credentials', message })
})
