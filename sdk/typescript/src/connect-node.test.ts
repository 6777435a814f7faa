import { AegisError, Secret } from '@aegis/core'
import { expect, it } from 'vitest'
import { connectNode } from './connect-node.ts'
import type { Fetch } from './http-transport.ts'

const url = 'http://127.0.0.1:8000/'
const token = new Secret('hunter2-hunter2-hunter2-hunter2')
const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

/** A client whose node answers each request by `answer`. */
const connected = (answer: Fetch, timeoutMs = 1_000) =>
  connectNode({ url, token, fetch: answer, timeoutMs })

it('sends the token in the header of each request, follows no redirect, and asks nothing early', async () => {
  const requests: (RequestInit | undefined)[] = []
  const node = connected(async (_input, init) => {
    requests.push(init)
    return json([])
  })
  expect(requests).toEqual([])
  await node.agents.list()
  expect(requests).toMatchObject([
    { redirect: 'error', headers: { authorization: `Bearer ${token.reveal()}` } },
  ])
})

it('gives back the error of the node: kind, code, message, details and problems', async () => {
  const problems = [{ path: 'spec', message: 'is missing' }]
  const node = connected(async () =>
    json(
      {
        type: 'urn:aegis:error:manifest.invalid',
        title: 'Unprocessable Content',
        status: 422,
        detail: 'spec is missing',
        kind: 'invalid',
        code: 'manifest.invalid',
        error: 'spec is missing',
        problems,
        details: { file: 'agent.yaml' },
      },
      422,
    ),
  )
  const error = await node.agents.list().catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(AegisError)
  expect(error).toMatchObject({
    kind: 'invalid',
    code: 'manifest.invalid',
    message: 'spec is missing',
    details: { file: 'agent.yaml', problems },
  })
})

it('says how to start a node when none answers, and never shows the token', async () => {
  const node = connected(async () => {
    throw new TypeError('fetch failed', {
      cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    })
  })
  const error = await node.node.status().catch((caught: unknown) => caught)
  expect(error).toMatchObject({
    kind: 'unavailable',
    code: 'node.unreachable',
    message:
      'No node answers at http://127.0.0.1:8000 (ECONNREFUSED). Start one with aegis daemon start, or check the address.',
  })
  expect(String(error) + JSON.stringify(error)).not.toContain(token.reveal())
})

it.each([
  ['a page', () => new Response('<html>', { status: 200 })],
  ['another answer', () => json({ agents: [] })],
  ['an entry too little', () => json([{ id: 'x' }])],
])('does not take %s for the answer of a node', async (_what, answer) => {
  const node = connected(async () => answer())
  await expect(node.agents.list()).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'node.bad-answer',
    message: expect.stringContaining('GET /api/agents'),
  })
})

it.each([
  [404, 'not-found'],
  [401, 'unauthenticated'],
  [403, 'denied'],
  [418, 'invalid'],
  [502, 'unavailable'],
  [504, 'timeout'],
])('makes an error of a bare status %i', async (status, kind) => {
  const answer = () =>
    Object.defineProperty(new Response('no', { status }), 'url', { value: `${url}api/agents` })
  const node = connected(async () => answer())
  await expect(node.agents.list()).rejects.toMatchObject({ kind, code: 'node.http-status' })
})

it('gives up on a node that does not answer in time', async () => {
  const node = connected(
    (_input, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      }),
    10,
  )
  await expect(node.agents.list()).rejects.toMatchObject({ kind: 'timeout', code: 'node.slow' })
})

it('fails with the reason of the caller who gives up', async () => {
  const node = connected(async (_input, init) => {
    init?.signal?.throwIfAborted()
    return json([])
  })
  const reason = new Error('enough')
  await expect(node.node.doctor(AbortSignal.abort(reason))).rejects.toBe(reason)
})

it('does not follow what it cannot reach at first', async () => {
  let asked = 0
  const node = connected(async () => {
    asked += 1
    throw new TypeError('fetch failed')
  })
  const id = '0b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b'
  const events = node.executions.events(id, { follow: true }, new AbortController().signal)
  await expect(Array.fromAsync(events)).rejects.toMatchObject({ code: 'node.unreachable' })
  expect(asked).toBe(1)
})

it.each([
  '',
  'nowhere',
  'ftp://127.0.0.1',
  'unix:/run/aegis.sock',
])('refuses %j as an address', (address) => {
  expect(() => connectNode({ url: address, token })).toThrow('http://127.0.0.1:8000')
})
