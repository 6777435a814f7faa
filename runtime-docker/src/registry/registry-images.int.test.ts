import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { AegisError } from '@aegis/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makeCertificates } from '../../../tests/egress/world/certificates.ts'
import { programPath, whyNoRegistry } from '../../../tests/engine/requirements.ts'
import { openTestRegistry, registryCredentials } from '../../../tests/engine/test-registry.ts'
import type { RegistryAuth } from '../images/docker-config.ts'
import { openRegistryImages } from './registry-images.ts'
import { putImage } from './testing/put-image.ts'
import { digestOf } from './testing/upload.ts'

const never = new AbortController().signal
const patience = { attempts: 3, backoffMs: 1, stalledMs: 200 }

const openImages = (auth?: RegistryAuth, architecture = 'amd64') =>
  openRegistryImages({ credentials: { find: async () => auth }, architecture, patience })

const why = whyNoRegistry()

describe.skipIf(why)(
  `images of a real registry, without an engine${why ? ` (${why})` : ''}`,
  () => {
    const layers = [Buffer.alloc(2048), Buffer.alloc(10_240, 'x')]

    it('are found by tag and by digest, and come as an OCI layout', async () => {
      await using registry = await openTestRegistry()
      const put = await putImage(registry.address, 'team/agent:1', { layers })
      const images = openImages()
      for (const version of [':1', `@${put.digest}`]) {
        const found = await images.find(`${registry.address}/team/agent${version}`, never)
        expect(found).toMatchObject({
          id: put.id,
          digest: `${registry.address}/team/agent@${put.digest}`,
          otherIds: [put.digest],
          layers: 2,
        })
        const told: number[] = []
        const archive = found.archive(({ bytes }) => told.push(bytes), never)
        const bytes = Buffer.concat(await Array.fromAsync(archive))
        expect(bytes.includes(put.id.slice(7))).toBe(true)
        expect(bytes.subarray(0, 10).toString()).toBe('index.json')
        expect(told.at(-1)).toBe(found.sizeBytes)
      }
    })

    it('are those for this processor, where an index has several', async () => {
      await using registry = await openTestRegistry()
      const others = ['arm64', 's390x']
      const put = await putImage(registry.address, 'team/agent:1', { layers, others })
      const reference = `${registry.address}/team/agent:1`
      expect(await openImages().find(reference, never)).toMatchObject({
        id: put.id,
        digest: `${registry.address}/team/agent@${put.digest}`,
        otherIds: [put.manifestDigest, put.digest],
      })
      const absent = openImages(undefined, 'riscv64').find(reference, never)
      await expect(absent).rejects.toThrow(
        /not for the processor of this host \(linux\/riscv64; it is for linux\/arm64/,
      )
    })

    it('are shown the credentials of this host, and denied without', async () => {
      await using registry = await openTestRegistry({ auth: true })
      const { username, password } = registryCredentials
      const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
      await putImage(registry.address, 'team/agent:1', { layers, headers: { authorization } })
      const reference = `${registry.address}/team/agent:1`
      const found = await openImages(registryCredentials).find(reference, never)
      expect((await Array.fromAsync(found.archive(() => undefined, never))).length).toBeGreaterThan(
        4,
      )
      await expect(openImages().find(reference, never)).rejects.toMatchObject({
        kind: 'denied',
        code: 'image.access',
        message: expect.stringContaining('docker login'),
      })
    })

    it('are absent where there is no such tag, and what to do is said', async () => {
      await using registry = await openTestRegistry()
      const asked = openImages().find(`${registry.address}/team/nothing:1`, never)
      await expect(asked).rejects.toMatchObject({ kind: 'not-found', code: 'image.absent' })
      await expect(openImages().find('a'.repeat(64), never)).rejects.toThrow('an id says not where')
    })
  },
)

const whyNoTls = programPath('openssl')
  ? undefined
  : 'openssl is not installed: apt-get install openssl'
const layer = Buffer.alloc(300_000, 'layer')
const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const describeBlob = (bytes: Buffer, mediaType = 'x') => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
})
const config = json({ os: 'linux', architecture: 'amd64' })
const manifest = json({ config: describeBlob(config), layers: [describeBlob(layer)] })

type Serve = (request: IncomingMessage, response: ServerResponse) => boolean | undefined

/** A registry with one image, but for what a test has it answer. */
async function aRegistry(mishap: Serve): Promise<string> {
  const server = createServer((request, response) => {
    if (mishap(request, response)) return
    const path = request.url ?? ''
    const blob = [config, layer].find((one) => path.endsWith(`/blobs/${digestOf(one)}`))
    response.end(path.includes('/manifests/') ? manifest : blob)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}/team/agent`
}

function end(response: ServerResponse, status: number, body?: string): true {
  response.writeHead(status).end(body)
  return true
}

const isLayer = ({ url }: IncomingMessage) => url?.endsWith(digestOf(layer)) === true

async function fetchAll(
  reference: string,
  until = never,
  onProgress: () => unknown = () => undefined,
): Promise<Buffer> {
  const found = await openImages().find(reference, until)
  return Buffer.concat(await Array.fromAsync(found.archive(onProgress, until)))
}

describe('images of a registry', () => {
  it('are taken up where the connection broke, also by a registry that begins anew', async () => {
    for (const knowsRanges of [true, false]) {
      const asked: (string | undefined)[] = []
      let breakOff = () => {}
      const reference = await aRegistry((request, response) => {
        if (!isLayer(request)) return false
        const { range } = request.headers
        asked.push(range)
        const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
        const rest = knowsRanges ? layer.subarray(from) : layer
        response.writeHead(knowsRanges && from > 0 ? 206 : 200, { 'content-length': rest.length })
        breakOff = () => response.destroy()
        if (asked.length > 1) response.end(rest)
        else response.write(rest.subarray(0, 150_000))
        return true
      })
      const bytes = await fetchAll(reference, never, () => asked.length === 1 && breakOff())
      expect(bytes.includes(layer)).toBe(true)
      expect(asked).toHaveLength(2)
      expect(asked[1]).toMatch(/^bytes=[1-9]/)
    }
  })

  it('are pulled though the credentials of this host cannot be read, unless they are wanted', async () => {
    let isPublic = true
    const reference = await aRegistry(({ url = '', headers }, response) => {
      if (url.startsWith('/token')) return end(response, 200, '{"token":"all"}')
      if (isPublic && headers.authorization === 'Bearer all') return false
      const realm = `http://${headers.host}/token`
      response.setHeader('www-authenticate', `Bearer realm="${realm}",service="r",scope="x"`)
      return end(response, 401)
    })
    const broken = new AegisError('invalid', 'image.credentials', 'config.json is damaged')
    const images = openRegistryImages({
      credentials: { find: () => Promise.reject(broken) },
      architecture: 'amd64',
    })
    expect(await images.find(reference, never)).toMatchObject({ layers: 1 })
    isPublic = false
    await expect(images.find(reference, never)).rejects.toMatchObject({
      code: 'image.access',
      message: expect.stringContaining('config.json is damaged'),
    })
  })

  it('are asked for again while the registry has trouble, and not for ever', async () => {
    let troubles = 0
    const reference = await aRegistry((_, response) => {
      if (troubles++ > 1) return false
      response.writeHead(503).end()
      return true
    })
    await fetchAll(reference)
    const lasting = await aRegistry((request, response) => {
      if (isLayer(request))
        response.writeHead(200, { 'content-length': layer.length }).flushHeaders()
      return isLayer(request)
    })
    await expect(fetchAll(lasting)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'image.network',
    })
  })

  const liars: readonly (readonly [string, Serve])[] = [
    [
      'a layer that is another',
      (request, response) => isLayer(request) && !!response.end(Buffer.alloc(layer.length, 'evil')),
    ],
    [
      'a layer that never ends',
      (request, response) => {
        if (!isLayer(request)) return false
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        }
        response.on('drain', more)
        more()
        return true
      },
    ],
    [
      'a layer that is gone',
      (request, response) => isLayer(request) && !!response.writeHead(404).end(),
    ],
    [
      'a configuration that is another',
      ({ url }, response) => url?.endsWith(digestOf(config)) === true && !!response.end('{}'),
    ],
    [
      'a manifest without end',
      ({ url }, response) =>
        url?.includes('/manifests/') === true && !!response.end('x'.repeat(5 << 20)),
    ],
    [
      'a manifest of the first form',
      ({ url }, response) =>
        url?.includes('/manifests/') === true && !!response.end('{"schemaVersion":1}'),
    ],
    [
      'layers that it does not hold',
      ({ url }, response) =>
        url?.includes('/manifests/') === true &&
        !!response.end(
          json({ config: describeBlob(config), layers: [describeBlob(layer, 'a.foreign.b')] }),
        ),
    ],
    [
      'an index that is not the one that led to it',
      ({ url }, response) =>
        url?.includes('/manifests/') === true &&
        !!response.end(json({ manifests: [describeBlob(Buffer.from('other'))] })),
    ],
  ]
  it.each(liars)('are refused where it answers with %s', async (_, mishap) => {
    await expect(fetchAll(await aRegistry(mishap))).rejects.toMatchObject({
      kind: 'invalid',
      code: 'image.pull-failed',
    })
  })

  it('are those of the digest that was asked for, and of no other', async () => {
    const reference = await aRegistry(() => false)
    await fetchAll(`${reference}@${digestOf(manifest)}`)
    const other = fetchAll(`${reference}@sha256:${'a'.repeat(64)}`)
    await expect(other).rejects.toThrow('is something else')
  })

  it.skipIf(whyNoTls)(
    `come over TLS when its certificate is trusted, and not at all when it is not${whyNoTls ? ` (${whyNoTls})` : ''}`,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'aegis-tls-'))
      onTestFinished(() => rm(directory, { recursive: true }))
      const { authority, cert, key } = await makeCertificates(directory, ['localhost'])
      const served: string[] = []
      const server = createTlsServer({ cert, key }, (request, response) => {
        served.push(request.url ?? '')
        const blob = [config, layer].find((one) => request.url?.endsWith(digestOf(one)))
        response.end(request.url?.includes('/manifests/') ? manifest : blob)
      })
      await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
      onTestFinished(() => void server.close())
      const reference = `localhost:${(server.address() as AddressInfo).port}/team/agent`
      await expect(fetchAll(reference)).rejects.toMatchObject({ code: 'image.network' })
      expect(served).toEqual([])
      const usual = getCACertificates('default')
      setDefaultCACertificates([...usual, authority])
      onTestFinished(() => setDefaultCACertificates(usual))
      expect((await fetchAll(reference)).includes(layer)).toBe(true)
    },
  )

  it('are fetched no further once nobody wants them', async () => {
    const cancel = new AbortController()
    const reference = await aRegistry((request, response) => {
      if (!isLayer(request)) return false
      response.writeHead(200, { 'content-length': layer.length }).write(layer.subarray(0, 1000))
      cancel.abort(new Error('given up'))
      return true
    })
    await expect(fetchAll(reference, cancel.signal)).rejects.toThrow('given up')
  })
})
