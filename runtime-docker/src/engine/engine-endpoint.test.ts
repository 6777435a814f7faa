import { describe, expect, it } from 'vitest'
import { parseEngineEndpoint } from './engine-endpoint.ts'

const tls = { ca: 'a', cert: 'b', key: 'c' }

describe('an engine', () => {
  it.each([
    [undefined, '/var/run/docker.sock'],
    ['', '/var/run/docker.sock'],
    ['/run/user/1000/podman/podman.sock', '/run/user/1000/podman/podman.sock'],
    ['unix:///run/docker.sock', '/run/docker.sock'],
  ])('named %j is a socket', (text, socketPath) => {
    expect(parseEngineEndpoint(text)).toMatchObject({ kind: 'unix', socketPath })
  })

  it.each([
    ['tcp://box:2375', undefined, { host: 'box', port: 2375, tls: undefined }],
    ['tcp://box', undefined, { host: 'box', port: 2375, tls: undefined }],
    ['tcp://box', tls, { host: 'box', port: 2376, tls }],
    ['http://127.0.0.1:4000/', undefined, { host: '127.0.0.1', port: 4000, tls: undefined }],
    ['https://box', undefined, { host: 'box', port: 2376, tls: {} }],
    ['tcp://[::1]:99', undefined, { host: '::1', port: 99, tls: undefined }],
  ])('named %j is a host', (text, files, expected) => {
    const options = files ? { tls: files } : {}
    expect(parseEngineEndpoint(text, options)).toMatchObject({ kind: 'tcp', ...expected })
  })

  it.each([
    'ssh://me@box',
    'npipe:////./pipe/docker_engine',
  ])('named %j is refused with a way out', (text) => {
    expect(() => parseEngineEndpoint(text)).toThrow(/unix:\/\/\//)
  })

  it.each([
    'docker',
    'unix://relative',
    'tcp://',
    'tcp://a:0',
    'tcp://a:70000',
    'tcp://a/b',
    'ftp://a',
  ])('cannot be named %j', (text) => {
    expect(() => parseEngineEndpoint(text)).toThrow(/does not name a Docker engine/)
  })
})
