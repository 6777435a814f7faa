import { Secret } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { formatComment, formatMessage } from '@aegis/http-contract'
import { expect, it } from 'vitest'
import { connectNode } from './connect-node.ts'
import type { Fetch } from './http-transport.ts'

const forever = new AbortController().signal
const ignore = (): void => undefined
const connected = (answer: Fetch) =>
  connectNode({ url: 'http://127.0.0.1:8000', token: new Secret('hunter2'), fetch: answer })

const progress = {
  reference: 'python:3.11',
  phase: 'downloading',
  layersDone: 0,
  layers: 1,
  downloadedBytes: 1,
  totalBytes: 2,
}
const pulled = {
  id: 'sha256:1',
  references: ['python:3.11'],
  digests: [],
  size_bytes: 2,
  created_at: '2026-11-22T15:04:05.123Z',
  pulled: true,
}
const problem = {
  type: 'urn:aegis:error:image.access',
  title: 'Forbidden',
  status: 403,
  detail: 'It is not for you.',
  kind: 'denied',
  code: 'image.access',
  error: 'It is not for you.',
}

const message = (event: string, data: unknown) =>
  formatMessage({ event, data: JSON.stringify(data) })

/** A node that streams these texts, and then ends or fails. */
const streaming = (texts: readonly string[], failure?: Error) =>
  connected(async () => {
    const body = new ReadableStream({
      pull(controller) {
        const [next, ...rest] = texts
        texts = rest
        if (next !== undefined) controller.enqueue(new TextEncoder().encode(next))
        else if (failure === undefined) controller.close()
        else controller.error(failure)
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  })

it('asks for a stream, hears the progress, and gives back what it ends with', async () => {
  const requests: (RequestInit | undefined)[] = []
  const node = streaming([
    formatComment('connected'),
    message('progress', progress),
    message('of a later version', {}),
    message('pulled', pulled),
  ])
  const heard: unknown[] = []
  const image = await node.images.pull('python:3.11', (one) => heard.push(one), forever)
  expect(image).toMatchObject({ id: 'sha256:1', sizeBytes: 2 })
  expect(heard).toEqual([progress])
  const plain = connected(async (_input, init) => {
    requests.push(init)
    return new Response(message('pulled', pulled))
  })
  await plain.images.pull('python:3.11', ignore, forever)
  expect(requests).toMatchObject([
    {
      method: 'POST',
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: '{"reference":"python:3.11"}',
    },
  ])
})

it('throws the problem that a stream ends with as the error of the node', async () => {
  const node = streaming([message('progress', progress), message('problem', problem)])
  await expect(node.agents.deploy(aManifest('echo'))).rejects.toMatchObject({
    kind: 'denied',
    code: 'image.access',
    message: 'It is not for you.',
  })
})

it.each([
  ['breaks', new TypeError('terminated')],
  ['ends too early', undefined],
])('says so when the connection %s, and does not ask again', async (_how, failure) => {
  const node = streaming([message('progress', progress)], failure)
  await expect(node.images.pull('python:3.11', ignore, forever)).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'node.unreachable',
  })
})

it.each([
  ['progress', 'no JSON'],
  ['progress', '{"phase":"flying"}'],
  ['pulled', '{}'],
  ['problem', '{}'],
])('does not take a %s of %s for that of a node', async (event, data) => {
  const node = streaming([formatMessage({ event, data })])
  await expect(node.images.pull('python:3.11', ignore, forever)).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'node.bad-answer',
  })
})

it('lets an error of the listener through as it is, and leaves the stream', async () => {
  const node = streaming([message('progress', progress), message('pulled', pulled)])
  const failure = new TypeError('mine')
  const listen = () => {
    throw failure
  }
  await expect(node.images.pull('python:3.11', listen, forever)).rejects.toBe(failure)
})

it('ends the events of sandboxes where the node ends them, and fails where they break', async () => {
  const event = {
    type: 'sandbox.cold',
    at: '2026-11-22T15:04:05.123Z',
    sandboxId: 'a',
    isolation: 'process',
    agentId: '1b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b',
    agentName: 'echo',
  }
  const text = formatMessage({ data: JSON.stringify(event) })
  expect(await Array.fromAsync(streaming([text]).sandboxes.events(forever))).toEqual([event])
  const breaking = streaming([text], new TypeError('terminated')).sandboxes.events(forever)
  await expect(Array.fromAsync(breaking)).rejects.toMatchObject({ code: 'node.unreachable' })
})
