import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import * as z from 'zod'
import { openEngineClient } from './engine-client.ts'
import { parseEngineEndpoint } from './engine-endpoint.ts'
import { refusalOf } from './engine-failure.ts'

const never = new AbortController().signal
const anything = z.unknown()
const get = (path: string) => ({ method: 'GET', path }) as const

/** A client of an engine that says exactly what a test wants it to say. */
async function engineThat(answer: RequestListener, apiVersion: string | (() => string) = '1.51') {
  const version = () => (typeof apiVersion === 'string' ? apiVersion : apiVersion())
  const directory = await mkdtemp(join(tmpdir(), 'aegis-client-'))
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === '/_ping') outgoing.setHeader('api-version', version()).end('OK')
    else answer(incoming, outgoing)
  })
  server.listen(join(directory, 'sock'))
  await once(server, 'listening')
  const client = openEngineClient(parseEngineEndpoint(join(directory, 'sock')))
  onTestFinished(async () => {
    client[Symbol.dispose]()
    server.close()
    server.closeAllConnections()
    await rm(directory, { recursive: true })
  })
  return client
}

it('speaks the newest version that both know', async () => {
  const urls: (string | undefined)[] = []
  const answer: RequestListener = ({ url }, outgoing) => {
    urls.push(url)
    outgoing.end('{}')
  }
  await (await engineThat(answer, '1.41')).run(get('/info'), never)
  await (await engineThat(answer, '1.99')).run(get('/info'), never)
  expect(urls).toEqual(['/v1.41/info', '/v1.51/info'])
})

it('agrees anew on a version with an engine that was replaced', async () => {
  let version = '1.41'
  const client = await engineThat(
    ({ url }, outgoing) => {
      if (url === `/v${version}/info`) outgoing.end('{}')
      else outgoing.writeHead(400).end('{"message":"client version 1.41 is too old"}')
    },
    () => version,
  )
  await client.run(get('/info'), never)
  version = '1.44'
  await client.run(get('/info'), never)
  expect(await client.identify(never)).toMatchObject({ apiVersion: '1.44' })
})

it('refuses an engine that is too old, with the reason', async () => {
  const client = await engineThat(() => {}, '1.40')
  await expect(client.run(get('/info'), never)).rejects.toMatchObject({
    kind: 'unsupported',
    code: 'engine.version',
    message: expect.stringContaining('20.10'),
  })
})

it.each([
  [400, 'invalid'],
  [403, 'denied'],
  [404, 'not-found'],
  [409, 'conflict'],
  [500, 'unavailable'],
])('gives the words of an engine that answers %i, disarmed', async (status, kind) => {
  const message = 'No such\u001b[31m thing: x'
  const client = await engineThat((_, outgoing) => {
    outgoing.writeHead(status).end(JSON.stringify({ message }))
  })
  const error = await client.run(get('/x'), never).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ kind, code: 'engine.refused' })
  expect(refusalOf(error)).toEqual({ status, words: 'No such [31m thing: x' })
})

it('says what to do when there is no engine', async () => {
  using client = openEngineClient(parseEngineEndpoint('/nowhere/docker.sock'))
  await expect(client.run(get('/info'), never)).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'engine.unreachable',
    message: expect.stringContaining('Start Docker'),
  })
})

it('asks again for the version when the engine was away', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-client-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  using client = openEngineClient(parseEngineEndpoint(join(directory, 'sock')))
  await expect(client.identify(never)).rejects.toMatchObject({ code: 'engine.unreachable' })
  const server = createServer((_, outgoing) => outgoing.setHeader('api-version', '1.44').end())
  server.listen(join(directory, 'sock'))
  await once(server, 'listening')
  expect(await client.identify(never)).toMatchObject({ apiVersion: '1.44', podman: false })
  server.closeAllConnections()
  server.close()
})

it('gives up on an engine that does not answer, and when its caller does', async () => {
  const client = await engineThat(() => {})
  await expect(client.run({ ...get('/slow'), timeoutMs: 20 }, never)).rejects.toMatchObject({
    kind: 'timeout',
    code: 'engine.timeout',
  })
  const cancel = new AbortController()
  const asked = client.run(get('/slow'), cancel.signal)
  cancel.abort(new Error('changed my mind'))
  await expect(asked).rejects.toThrow('changed my mind')
})

it('streams values as they come, until the engine breaks off', async () => {
  const client = await engineThat((_, outgoing) => {
    outgoing.write('{"id":1}\n{"i')
    outgoing.write('d":2}\n', () => outgoing.destroy())
  })
  const seen: unknown[] = []
  const reading = async () => {
    for await (const value of client.stream(anything, get('/events'), never)) seen.push(value)
  }
  await expect(reading()).rejects.toMatchObject({ code: 'engine.unreachable' })
  expect(seen).toEqual([{ id: 1 }, { id: 2 }])
})

it('ends a stream when its reader does', async () => {
  const ended = Promise.withResolvers<void>()
  const client = await engineThat((_, outgoing) => {
    outgoing.once('close', ended.resolve)
    outgoing.write('{}\n')
  })
  for await (const _ of client.stream(anything, get('/events'), never)) break
  await ended.promise
})

it('takes no answer for an answer that is none', async () => {
  const client = await engineThat((_, outgoing) => outgoing.end('<html>'))
  await expect(client.call(anything, get('/info'), never)).rejects.toMatchObject({
    code: 'engine.answer',
  })
})

it('tells an engine that wants TLS from one that is away', async () => {
  const { createServer: listen } = await import('node:net')
  const server = listen((socket) => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46])))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  using client = openEngineClient(parseEngineEndpoint(`tcp://127.0.0.1:${port}`))
  await expect(client.identify(never)).rejects.toThrow(/https:/)
})
