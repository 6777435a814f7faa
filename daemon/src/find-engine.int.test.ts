import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultNodeConfig } from '@aegis/core'
import { afterAll, expect, it } from 'vitest'
import { dockerConfigDirectory, expectsEngine, findEngine } from './find-engine.ts'

const directory = mkdtempSync(join(tmpdir(), 'aegis-engine-'))
afterAll(() => rmSync(directory, { recursive: true }))

const plain = defaultNodeConfig({ hostName: 'test', nodeId: 'test' })
const configured = (address: string) => ({
  ...plain,
  spec: { ...plain.spec, runtime: { ...plain.spec.runtime, docker_socket_path: address } },
})

it('is where the config says, whatever the environment says', () => {
  const env = { DOCKER_HOST: 'tcp://other:2375' }
  expect(findEngine(configured('/srv/engine.sock'), env)).toMatchObject({
    kind: 'unix',
    socketPath: '/srv/engine.sock',
  })
})

it('is where DOCKER_HOST says', () => {
  expect(findEngine(plain, { DOCKER_HOST: 'tcp://engine:2375' })).toMatchObject({
    kind: 'tcp',
    host: 'engine',
    port: 2375,
    tls: undefined,
  })
})

it('is asked over TLS with the files of DOCKER_CERT_PATH', () => {
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(directory, `${name}.pem`), name)
  const env = {
    DOCKER_HOST: 'tcp://engine',
    DOCKER_TLS_VERIFY: '1',
    DOCKER_CERT_PATH: directory,
  }
  expect(findEngine(plain, env)).toMatchObject({
    port: 2376,
    tls: { ca: 'ca', cert: 'cert', key: 'key' },
  })
})

it('is not asked in the clear when its certificates are missing', () => {
  const env = { DOCKER_HOST: 'tcp://engine', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/nowhere' }
  expect(() => findEngine(plain, env)).toThrow('/nowhere/ca.pem cannot be read')
})

it('is to be expected where somebody named it, and once its socket is there', () => {
  expect(expectsEngine(configured('/nowhere/engine.sock'), {})).toBe(true)
  expect(expectsEngine(plain, { DOCKER_HOST: 'tcp://engine' })).toBe(true)
  const runtime = join(directory, 'run')
  mkdirSync(runtime)
  writeFileSync(join(runtime, 'docker.sock'), '')
  expect(expectsEngine(plain, { XDG_RUNTIME_DIR: runtime })).toBe(true)
})

it('shares the credentials that docker login left', () => {
  expect(dockerConfigDirectory({ DOCKER_CONFIG: '/srv/docker' })).toBe('/srv/docker')
})
