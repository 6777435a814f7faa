import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ImageSignature } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { whyNoRegistry } from '../../../tests/engine/requirements.ts'
import { openTestRegistry, registryCredentials } from '../../../tests/engine/test-registry.ts'
import type { RegistryAuth } from '../images/docker-config.ts'
import { fetchSignatures } from './fetch-signatures.ts'
import { openRegistryClient } from './registry-client.ts'
import { parseChallenge } from './registry-token.ts'
import { putSignatures } from './testing/put-signatures.ts'

const signal = new AbortController().signal
const digest = `sha256:${'a'.repeat(64)}`
const signatureOf = (text: string): ImageSignature => ({
  payload: Buffer.from(text),
  signature: Buffer.from(`signature of ${text}`),
})

const fetchFrom = (
  registry: string,
  {
    auth,
    requestMs = 10_000,
    until = signal,
  }: { auth?: RegistryAuth; requestMs?: number; until?: AbortSignal } = {},
) =>
  fetchSignatures(
    openRegistryClient({ credentials: { find: async () => auth }, requestMs }),
    { registry, repository: 'team/agent', version: digest },
    until,
  )

const why = whyNoRegistry()

describe.skipIf(why)(`signatures in a real registry${why ? ` (${why})` : ''}`, () => {
  it('are found beside their image, byte by byte, and none where there are none', async () => {
    await using registry = await openTestRegistry()
    expect(await fetchFrom(registry.address)).toEqual([])
    const made = [signatureOf('one'), signatureOf('two')]
    await putSignatures(registry.address, 'team/agent', digest, made)
    expect(await fetchFrom(registry.address)).toEqual(made)
  })

  it('are found with the credentials of this host, and not without', async () => {
    await using registry = await openTestRegistry({ auth: true })
    const { username, password } = registryCredentials
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    const made = [signatureOf('one')]
    await putSignatures(registry.address, 'team/agent', digest, made, { authorization })
    expect(await fetchFrom(registry.address, { auth: registryCredentials })).toEqual(made)
    const denied = { kind: 'denied', code: 'image.access' }
    await expect(fetchFrom(registry.address)).rejects.toMatchObject(denied)
    const auth = { username, password: 'wrong' }
    await expect(fetchFrom(registry.address, { auth })).rejects.toMatchObject(denied)
  })
})

type Serve = (request: IncomingMessage, response: ServerResponse, address: string) => void

/** A registry that answers as a test wants it, and remembers what it was asked. */
async function openFakeRegistry(serve: Serve) {
  const asked: { readonly url: string; readonly authorization: string | undefined }[] = []
  let address = ''
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization })
    serve(request, response, address)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    address,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const payload = Buffer.from('payload')
const payloadDigest = `sha256:${createHash('sha256').update(payload).digest('hex')}`
const layer = {
  mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
  digest: payloadDigest,
  size: payload.length,
  annotations: { 'dev.cosignproject.cosign/signature': 'AAEC' },
}
const good = [{ payload, signature: Buffer.from([0, 1, 2]) }]

/** Serves these layers, and their payload. */
const serveLayers =
  (layers: readonly object[], blob: Buffer | string = payload): Serve =>
  (request, response) =>
    void (request.url?.includes('/manifests/')
      ? response.end(JSON.stringify({ layers }))
      : response.end(blob))

describe('signatures in a registry', () => {
  it('are those of cosign alone, and at most 50', async () => {
    const others = [
      { ...layer, mediaType: 'text/plain' },
      { ...layer, annotations: {} },
      { ...layer, size: 70_000 },
    ]
    const many = Array.from({ length: 60 }, () => layer)
    await using registry = await openFakeRegistry(serveLayers([...others, ...many]))
    expect(await fetchFrom(registry.address)).toHaveLength(50)
  })

  it.each([
    ['no JSON', 'hello', payload],
    ['no manifest', '{"layers":{}}', payload],
    ['a manifest without end', 'x'.repeat(1_100_000), payload],
    ['a payload that is another', JSON.stringify({ layers: [layer] }), Buffer.from('another')],
    ['a payload that is longer', JSON.stringify({ layers: [layer] }), Buffer.alloc(100_000)],
  ])('are refused where it answers with %s', async (_, manifest, blob) => {
    await using registry = await openFakeRegistry(
      (request, response) =>
        void response.end(request.url?.includes('/manifests/') ? manifest : blob),
    )
    await expect(fetchFrom(registry.address)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'image.signatures',
    })
  })

  it.each([
    [403, 'denied', 'image.access'],
    [429, 'unavailable', 'image.network'],
    [500, 'unavailable', 'image.network'],
    [503, 'unavailable', 'image.network'],
  ])('are not taken for absent when it answers with %i', async (status, kind, code) => {
    await using registry = await openFakeRegistry(
      (_, response) => void response.writeHead(status).end(),
    )
    await expect(fetchFrom(registry.address)).rejects.toMatchObject({ kind, code })
  })

  it('are not taken for absent when nobody answers, or not in time', async () => {
    const gone = await openFakeRegistry(() => undefined)
    await gone[Symbol.asyncDispose]()
    const network = { kind: 'unavailable', code: 'image.network' }
    await expect(fetchFrom(gone.address)).rejects.toMatchObject(network)
    await using mute = await openFakeRegistry(() => undefined)
    await expect(fetchFrom(mute.address, { requestMs: 50 })).rejects.toMatchObject({
      ...network,
      message: expect.stringContaining('did not answer within 0.05 s'),
    })
    const controller = new AbortController()
    const asking = fetchFrom(mute.address, { until: controller.signal })
    controller.abort(new Error('given up'))
    await expect(asking).rejects.toThrow('given up')
  })

  it('are asked for with a token of the realm that it names', async () => {
    await using registry = await openFakeRegistry((request, response, address) => {
      const { url = '', headers } = request
      if (url.startsWith('/token')) return void response.end('{"token":"t0ken"}')
      if (headers.authorization === 'Bearer t0ken')
        return serveLayers([layer])(request, response, address)
      const challenge = `Bearer realm="http://${address}/token",service="reg",scope="x"`
      response.writeHead(401, { 'www-authenticate': challenge }).end()
    })
    expect(await fetchFrom(registry.address)).toEqual(good)
    const asked = registry.asked.find(({ url }) => url.startsWith('/token'))
    expect(asked?.url).toBe('/token?service=reg&scope=repository%3Ateam%2Fagent%3Apull')
    expect(asked?.authorization).toBeUndefined()
    expect(await fetchFrom(registry.address, { auth: { username: 'a', password: 'b' } })).toEqual(
      good,
    )
    expect(registry.asked.some(({ authorization }) => authorization === 'Basic YTpi')).toBe(true)
    expect(await fetchFrom(registry.address, { auth: { registrytoken: 't0ken' } })).toEqual(good)
    expect(await fetchFrom(registry.address, { auth: { identitytoken: 'id' } })).toEqual(good)
  })

  it('are not asked for with credentials that would travel to others in the open', async () => {
    await using registry = await openFakeRegistry((_, response) => {
      const challenge = 'Bearer realm="http://registry.example/token",service="reg"'
      response.writeHead(401, { 'www-authenticate': challenge }).end()
    })
    const auth = { username: 'a', password: 'b' }
    await expect(fetchFrom(registry.address, { auth })).rejects.toMatchObject({
      code: 'image.access',
      message: expect.stringContaining('no TLS'),
    })
  })

  it('are followed to where they are kept, without the credentials', async () => {
    await using store = await openFakeRegistry((_, response) => void response.end(payload))
    await using registry = await openFakeRegistry((request, response, address) => {
      if (request.headers.authorization === undefined) {
        return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      }
      if (request.url?.includes('/manifests/'))
        return serveLayers([layer])(request, response, address)
      response.writeHead(307, { location: `http://${store.address}/blob` }).end()
    })
    const auth = { username: 'a', password: 'b' }
    expect(await fetchFrom(registry.address, { auth })).toEqual(good)
    expect(store.asked).toEqual([{ url: '/blob', authorization: undefined }])
  })

  it('are not followed to a place without TLS, nor round in a circle', async () => {
    for (const location of [
      'http://169.254.169.254/latest/meta-data',
      'file:///etc/passwd',
      '/v2/again',
    ]) {
      await using registry = await openFakeRegistry(
        (_, response) => void response.writeHead(302, { location }).end(),
      )
      await expect(fetchFrom(registry.address)).rejects.toMatchObject({ code: 'image.access' })
      expect(registry.asked.length).toBeLessThan(6)
    }
  })
})

describe('a challenge', () => {
  it('is read in its forms', () => {
    expect(parseChallenge('Bearer realm="https://a/t",service="s",scope="r:p,q"')).toEqual({
      scheme: 'bearer',
      parameters: { realm: 'https://a/t', service: 's', scope: 'r:p,q' },
    })
    expect(parseChallenge('basic realm=x')).toEqual({ scheme: 'basic', parameters: { realm: 'x' } })
    expect(parseChallenge('Negotiate')).toBeUndefined()
    expect(parseChallenge('')).toBeUndefined()
  })
})
