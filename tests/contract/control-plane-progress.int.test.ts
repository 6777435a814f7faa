import { once } from 'node:events'
import { connect } from 'node:net'
import type { SandboxEvent } from '@aegis/core'
import { agentId, sandboxId } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { makeMessageParser } from '@aegis/http-contract'
import { describe, expect, it } from 'vitest'
import { openMemoryNode, serveHttp, testToken } from './control-plane-host.ts'
import { fakePullPhases } from './fake-image-store.ts'

const forever = new AbortController().signal
const authorization = `Bearer ${testToken.reveal()}`
const inDocker = aManifest('echo', { runtime: { isolation: 'docker' } })

describe('work that takes its time, over HTTP', () => {
  it('tells how far a pull is, and ends with what a plain answer would have been', async () => {
    await using scene = await openServed()
    const { status, type, messages } = await scene.ask('/api/images/pull', { reference: 'node:24' })
    expect({ status, type }).toEqual({ status: 200, type: 'text/event-stream; charset=utf-8' })
    expect(messages.map(({ event }) => event)).toEqual([
      ...fakePullPhases.map(() => 'progress'),
      'pulled',
    ])
    expect(messages[0]?.data).toMatchObject({ reference: 'node:24', phase: 'resolving' })
    const plain = await scene.askPlainly('/api/images/pull', { reference: 'node:24' })
    expect(messages.at(-1)?.data).toEqual(plain.body)
  })

  it('tells how far a deploy is, and ends with what a plain answer would have been', async () => {
    await using scene = await openServed()
    const { messages } = await scene.ask('/api/agents', inDocker)
    const plain = await scene.askPlainly('/api/agents', inDocker)
    expect(messages.map(({ event }) => event).slice(-2)).toEqual(['progress', 'deployed'])
    expect(messages.at(-1)?.data).toEqual({ ...Object(plain.body), changed: true })
  })

  it('ends with the problem that a plain answer would have been, its status inside', async () => {
    await using scene = await openServed()
    scene.node.images.forbid('node:24')
    const { messages } = await scene.ask('/api/agents', inDocker)
    const plain = await scene.askPlainly('/api/agents', inDocker)
    expect(plain.status).toBe(403)
    expect(messages.at(-1)).toEqual({ event: 'problem', data: plain.body })
    expect(plain.body).toMatchObject({ status: 403, code: 'image.access' })
  })

  it('answers plainly that the request itself is wrong', async () => {
    await using scene = await openServed()
    const { status, type } = await scene.ask('/api/agents', { kind: 'nothing' })
    expect({ status, type }).toEqual({ status: 422, type: 'application/problem+json' })
  })

  it.each([
    ['a pull', '/api/images/pull', { reference: 'slow:1' }, 'slow:1'],
    ['a deploy', '/api/agents', inDocker, 'node:24'],
  ])('is given up when the client of %s goes away, without waiting for the end', async (...row) => {
    const [, path, body, reference] = row
    for (const accept of ['application/json', 'text/event-stream']) {
      await using scene = await openServed()
      scene.node.images.stall(reference)
      const text = JSON.stringify(body)
      const socket = connect(scene.port, '127.0.0.1')
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nAccept: ${accept}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
      await scene.node.images.stalling
      socket.destroy()
      await scene.node.images.abandoned
    }
  })

  it('is told to wait no longer when the API closes', async () => {
    const scene = await openServed()
    scene.node.images.stall('node:24')
    const deploy = scene.plane.agents.deploy(inDocker).catch((error: unknown) => error)
    await scene.node.images.stalling
    await scene[Symbol.asyncDispose]()
    expect(await deploy).toMatchObject({ kind: 'unavailable', code: 'node.unreachable' })
  })

  it('leaves out old progress for a client that is slow to read, and never the end', async () => {
    const node = await openMemoryNode()
    const progress = { layersDone: 0, layers: 1, downloadedBytes: 0, totalBytes: 1 }
    await using served = await serveHttp({
      ...node.plane,
      images: {
        ...node.plane.images,
        async pull(reference, onProgress, signal) {
          for (let count = 0; count < 1_000; count += 1) {
            onProgress({ reference, phase: 'downloading', ...progress, downloadedBytes: count })
          }
          return node.plane.images.pull(reference, onProgress, signal)
        },
      },
    })
    const heard: number[] = []
    const listen = (one: { readonly downloadedBytes: number }) => heard.push(one.downloadedBytes)
    const image = await served.plane.images.pull('node:24', listen, forever)
    expect(image.references).toEqual(['node:24'])
    expect(heard.length).toBeLessThanOrEqual(100)
    expect(heard).toContain(999)
  })
})

describe('the stream of sandboxes over HTTP', () => {
  it('misses nothing from the moment on that its head is there', async () => {
    const node = await openMemoryNode({ start: false })
    const events: SandboxEvent[] = [cold('a'), cold('b')]
    let listeners = 0
    await using served = await serveHttp({
      ...node.plane,
      sandboxes: {
        ...node.plane.sandboxes,
        async *events(signal) {
          listeners += 1
          yield* events
          await once(signal, 'abort')
        },
      },
    })
    const leave = new AbortController()
    const response = await fetch(`${served.api.url}/api/sandboxes/events`, {
      headers: { authorization },
      signal: leave.signal,
    })
    expect(listeners).toBe(1)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    leave.abort()
    const seen: SandboxEvent[] = []
    const enough = new AbortController()
    for await (const event of served.plane.sandboxes.events(enough.signal)) {
      if (seen.push(event) === 2) enough.abort()
    }
    expect(seen).toEqual(events)
  })

  it('is broken off, not ended, when the API closes, so that a reader can tell', async () => {
    const node = await openMemoryNode({ start: false })
    const { promise: listening, resolve } = Promise.withResolvers<void>()
    const served = await serveHttp({
      ...node.plane,
      sandboxes: {
        ...node.plane.sandboxes,
        async *events(signal) {
          resolve()
          await once(signal, 'abort')
          yield* []
        },
      },
    })
    const steps = Array.fromAsync(served.plane.sandboxes.events(forever)).catch(
      (error: unknown) => error,
    )
    await listening
    await served[Symbol.asyncDispose]()
    expect(await steps).toMatchObject({ code: 'node.unreachable' })
  })
})

const cold = (id: string): SandboxEvent => ({
  type: 'sandbox.cold',
  at: '2026-11-22T15:04:05.123Z',
  sandboxId: sandboxId(id),
  isolation: 'process',
  agentId: agentId('1b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b'),
  agentName: 'echo',
})

async function openServed() {
  const node = await openMemoryNode()
  const served = await serveHttp(node.plane)
  const post = (path: string, body: unknown, accept: string) =>
    fetch(`${served.api.url}${path}`, {
      method: 'POST',
      headers: { authorization, accept, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  return {
    node,
    plane: served.plane,
    port: served.api.port,
    async ask(path: string, body: unknown) {
      const response = await post(path, body, 'text/event-stream')
      const messages = makeMessageParser()(await response.text())
      return {
        status: response.status,
        type: response.headers.get('content-type'),
        messages: messages.map(({ event, data }) => ({ event, data: JSON.parse(data) })),
      }
    },
    async askPlainly(path: string, body: unknown) {
      const response = await post(path, body, 'application/json')
      return { status: response.status, body: await response.json() }
    },
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]()
      await node[Symbol.asyncDispose]()
    },
  }
}
