import { aManifest } from '@aegis/core/testing'
import { openMemoryNode } from '@aegis/tests/contract/control-plane-host.ts'
import fc from 'fast-check'
import type { InjectOptions } from 'fastify'
import { describe, expect, it } from 'vitest'
import { authorization } from './authorization.ts'
import { authorized, openTestApp, type TestApp, token } from './testing/open-test-app.ts'

const json = { 'content-type': 'application/json' }
const absentId = '00000000-0000-4000-8000-000000000000'
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

interface BadRequest {
  readonly status: number
  readonly code: string
  readonly why: string
  /** Method and path. */
  readonly request: string
  /** A part of the detail: the place or the remedy. */
  readonly says: string
  readonly more: { readonly headers?: Record<string, string>; readonly body?: string }
}

type Row = [BadRequest['why'], BadRequest['request'], BadRequest['says'], BadRequest['more']?]

const refused = (status: number, code: string, rows: readonly Row[]): readonly BadRequest[] =>
  rows.map(([why, request, says, more = {}]) => ({ status, code, why, request, says, more }))

const badRequests: readonly BadRequest[] = [
  ...refused(401, 'token.wrong', [
    ['no token', 'GET /api/agents', 'token file', { headers: { authorization: '' } }],
    [
      'another scheme',
      'GET /api/agents',
      'token file',
      { headers: { authorization: `Basic ${token}` } },
    ],
    [
      'a wrong token',
      'GET /api/agents',
      'token file',
      { headers: { authorization: `Bearer ${token}x` } },
    ],
    [
      'a wrong token on a path that is not there',
      'GET /nothing',
      'token file',
      { headers: { authorization: 'Bearer x' } },
    ],
  ]),
  ...refused(421, 'request.host', [
    ['a foreign host', 'GET /api/agents', 'localhost', { headers: { host: 'evil.example' } }],
    [
      'a host that only starts like ours',
      'GET /health',
      'localhost',
      { headers: { host: 'localhost.evil.example' } },
    ],
  ]),
  ...refused(403, 'request.origin', [
    [
      'a page of another site',
      'GET /api/agents',
      'other sites',
      { headers: { origin: 'https://evil.example' } },
    ],
    [
      'a page of another port',
      'GET /api/agents',
      'other sites',
      { headers: { origin: 'http://localhost:3000' } },
    ],
    ['a page without an origin', 'GET /api/agents', 'other sites', { headers: { origin: 'null' } }],
  ]),
  ...refused(404, 'route.absent', [
    ['an unknown path', 'GET /api/nothing', '/openapi.json'],
    ['the root', 'GET /', '/openapi.json'],
  ]),
  ...refused(405, 'request.method', [
    ['a wrong method', 'PUT /api/agents', 'POST, GET'],
    ['a wrong method below an agent', 'GET /api/agents/echo/execute', 'takes POST'],
    ['a wrong method with a query', 'DELETE /health?x=1', 'GET'],
  ]),
  ...refused(400, 'request.path', [
    ['an id that is none', 'GET /api/executions/42', 'id: must be a UUID'],
    ['a name that is none', 'GET /api/agents/No%20Name', 'ref: must be the name or the id'],
    ['a path out of the tree', 'GET /api/agents/..%2f..%2fetc', 'ref'],
    ['a malformed escape', 'GET /api/agents/%zz', '% sequence'],
  ]),
  ...refused(414, 'request.path-too-long', [
    ['an endless name', `GET /api/agents/${'a'.repeat(300)}`, 'longer'],
  ]),
  ...refused(404, 'agent.absent', [
    ['an agent that is not there', 'GET /api/agents/nobody', 'aegis agent list'],
    ['an agent that is not there, by lookup', 'GET /api/agents/lookup/nobody', 'nobody'],
    ['events of an agent that is not there', 'GET /api/agents/nobody/events?follow=true', 'nobody'],
    ['an unknown agent in a filter', 'GET /api/executions?agent_id=nobody', 'nobody'],
    [
      'an agent that is not there',
      'POST /api/agents/nobody/execute',
      'nobody',
      { body: '{"input":1}' },
    ],
  ]),
  ...refused(404, 'execution.absent', [
    ['an execution that is not there', `GET /api/executions/${absentId}`, `${absentId}`],
    [
      'events of an execution that is not there',
      `GET /api/executions/${absentId}/events`,
      `${absentId}`,
    ],
  ]),
  ...refused(400, 'request.query', [
    [
      'an unknown key',
      'GET /api/executions?limits=3',
      '"limits" is not known; known: agent_id, status, limit',
    ],
    ['a key where none is taken', 'GET /api/agents?page=2', 'nothing is taken here'],
    ['a limit of nothing', 'GET /api/executions?limit=0', 'limit: must be at least 1'],
    ['a limit without bounds', 'GET /api/executions?limit=1001', 'limit: must be at most 1000'],
    ['a limit that is no number', 'GET /api/executions?limit=1e2', 'limit: must be a whole number'],
    ['a limit given twice', 'GET /api/executions?limit=1&limit=2', 'limit: must be a string'],
    [
      'an unknown status',
      'GET /api/executions?status=Running',
      'status: must be one of pending, queued, running',
    ],
    [
      'a flag that is neither true nor false',
      'GET /api/agents/echo/events?follow=yes',
      'follow: must be one of true, false',
    ],
    [
      'a negative version',
      `GET /api/executions/${absentId}/events?after=-1`,
      'after: must be a whole number',
    ],
    ['revision zero', 'GET /api/agents/echo?revision=0', 'revision: must be at least 1'],
    ['a flag of images that is none', 'GET /api/images?all=yes', 'all: must be one of true, false'],
    ['an unknown key for images', 'GET /api/images?every=true', '"every" is not known; known: all'],
    [
      'a key where a pull takes none',
      'POST /api/images/pull?all=true',
      'nothing is taken here',
      { body: '{"reference":"node:24"}' },
    ],
    ['a key where pruning takes none', 'POST /api/images/prune?all=true', 'nothing is taken here'],
    ['a key where sandboxes take none', 'GET /api/sandboxes?state=hot', 'nothing is taken here'],
    [
      'a key where the events of sandboxes take none',
      'GET /api/sandboxes/events?follow=true',
      'nothing is taken here',
    ],
    [
      'a flag that is none',
      'POST /api/agents?replace=1',
      'replace: must be one of true, false',
      { body: '{}' },
    ],
  ]),
  ...refused(400, 'request.headers', [
    [
      'a Last-Event-ID that is none',
      `GET /api/executions/${absentId}/events`,
      'last-event-id',
      { headers: { 'last-event-id': 'x' } },
    ],
    [
      'a Last-Event-ID of another stream',
      'GET /api/agents/echo/events',
      'last-event-id',
      { headers: { 'last-event-id': '7' } },
    ],
  ]),
  ...refused(404, 'agent.revision', [
    ['a revision that is not there', 'GET /api/agents/echo?revision=7', '1 to 1'],
  ]),
  ...refused(400, 'request.body-malformed', [
    ['malformed JSON', 'POST /api/agents/echo/execute', 'not JSON', { body: '{"input":' }],
  ]),
  ...refused(422, 'request.body', [
    ['no body', 'POST /api/agents/echo/execute', 'it is missing', { body: '' }],
    [
      'a body that is no object',
      'POST /api/agents/echo/execute',
      'must be an object',
      { body: '[]' },
    ],
    ['no input', 'POST /api/agents/echo/execute', 'input: is missing', { body: '{}' }],
    [
      'an unknown key in a body',
      'POST /api/agents/echo/execute',
      '"inputs" is not known; known: input, priority, isolation',
      { body: '{"input":1,"inputs":2}' },
    ],
    [
      'a priority out of range',
      'POST /api/agents/echo/execute',
      'priority: must be at most 100',
      { body: '{"input":1,"priority":101}' },
    ],
    [
      'a priority that is no number',
      'POST /api/agents/echo/execute',
      'priority: must be a number',
      { body: '{"input":1,"priority":"high"}' },
    ],
    [
      'an unknown isolation',
      'POST /api/agents/echo/execute',
      'isolation: must be one of process, docker, firecracker',
      { body: '{"input":1,"isolation":"chroot"}' },
    ],
    [
      'an unknown key when pausing',
      'POST /api/agents/echo/pause',
      'known: reason',
      { body: '{"why":"x"}' },
    ],
    ['no body for a pull', 'POST /api/images/pull', 'it is missing', { body: '' }],
    ['a pull of nothing', 'POST /api/images/pull', 'reference: is missing', { body: '{}' }],
    [
      'a pull of an empty name',
      'POST /api/images/pull',
      'reference: must be at least 1',
      { body: '{"reference":""}' },
    ],
    [
      'a pull of an endless name',
      'POST /api/images/pull',
      'reference: must be at most 255',
      { body: JSON.stringify({ reference: 'x'.repeat(256) }) },
    ],
    [
      'an unknown key of a pull',
      'POST /api/images/pull',
      '"image" is not known; known: reference',
      { body: '{"reference":"node:24","image":"x"}' },
    ],
    [
      'a body where pruning takes none',
      'POST /api/images/prune',
      'nothing is taken here',
      { body: '{"all":true}' },
    ],
    [
      'an endless reason',
      'POST /api/agents/echo/pause',
      'reason: must be at most 1000',
      { body: JSON.stringify({ reason: 'x'.repeat(1_001) }) },
    ],
  ]),
  ...refused(501, 'runtime.absent', [
    [
      'an isolation that this node lacks',
      'POST /api/agents/echo/execute',
      'firecracker',
      { body: '{"input":1,"isolation":"firecracker"}' },
    ],
  ]),
  ...refused(422, 'request.body-too-deep', [
    [
      'a body that is too deep',
      'POST /api/agents/echo/execute',
      '100',
      { body: `{"input":${deep(5_000)}}` },
    ],
  ]),
  ...refused(422, 'request.body-key', [
    [
      'a key that reaches into prototypes',
      'POST /api/agents/echo/execute',
      '__proto__',
      { body: '{"input":{"__proto__":{"x":1}}}' },
    ],
  ]),
  ...refused(413, 'request.body-too-large', [
    [
      'a body that is too large',
      'POST /api/agents/echo/execute',
      '2097152 bytes',
      { body: JSON.stringify({ input: 'x'.repeat(2 * 1024 * 1024) }) },
    ],
  ]),
  ...refused(415, 'request.media-type', [
    [
      'a body of another type',
      'POST /api/agents/echo/execute',
      'application/json',
      { body: 'hello', headers: { 'content-type': 'text/plain' } },
    ],
    [
      'YAML where none is taken',
      'POST /api/agents/echo/execute',
      'application/json',
      { body: 'input: 1', headers: { 'content-type': 'application/yaml' } },
    ],
  ]),
  ...refused(422, 'manifest.invalid', [
    ['no manifest', 'POST /api/agents', 'apiVersion', { body: '{}' }],
    ['a manifest that is text', 'POST /api/agents', '', { body: '"echo"' }],
    [
      'a malformed YAML manifest',
      'POST /api/agents',
      '1:',
      { body: 'kind: [', headers: { 'content-type': 'application/yaml' } },
    ],
  ]),
  ...refused(422, 'image.reference', [
    [
      'a name that no image has',
      'POST /api/images/pull',
      'Write it like python:3.11',
      { body: '{"reference":"../etc/passwd"}' },
    ],
  ]),
  ...refused(404, 'image.absent', [
    [
      'an image that is not there',
      'POST /api/images/pull',
      'nothing:1',
      { body: '{"reference":"nothing:1"}' },
    ],
  ]),
  ...refused(409, 'agent.exists', [
    [
      'another manifest under the same name',
      'POST /api/agents',
      '--replace',
      { body: JSON.stringify(aManifest('echo', { version: '2.0.0' })) },
    ],
  ]),
]

describe('a bad request', () => {
  it.each(badRequests)('is refused with $status for $why', async (bad) => {
    await using scene = await openScene()
    const before = await scene.app.inject({ url: '/api/agents/echo/summary', headers: authorized })
    const answer = await scene.app.inject({
      ...target(bad.request),
      headers: { ...authorized, ...(bad.more.body === undefined ? {} : json), ...bad.more.headers },
      ...(bad.more.body === undefined ? {} : { payload: bad.more.body }),
    })
    expect(answer.json()).toMatchObject({
      type: `urn:aegis:error:${bad.code}`,
      status: bad.status,
      code: bad.code,
      detail: expect.stringContaining(bad.says),
      error: expect.any(String),
    })
    expect(answer.statusCode).toBe(bad.status)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    const after = await scene.app.inject({ url: '/api/agents/echo/summary', headers: authorized })
    expect(after.json()).toEqual(before.json())
    expect(scene.bugs).toEqual([])
  })

  it('names the methods that a path takes, and asks for a token by its header', async () => {
    await using scene = await openScene()
    const wrong = await scene.app.inject({
      method: 'PATCH',
      url: '/api/agents/echo',
      headers: authorized,
    })
    expect(wrong.headers.allow).toBe('GET, DELETE')
    const unknown = await scene.app.inject({ url: '/api/agents', headers: { host: 'localhost' } })
    expect(unknown.headers['www-authenticate']).toBe('Bearer realm="aegis"')
    expect(unknown.json()).toMatchObject({ status: 401, code: 'token.absent' })
  })

  it('never finds a bug, whatever it holds', async () => {
    await using scene = await openScene()
    await fc.assert(
      fc.asyncProperty(anyRequest, async (request) => {
        const answer = await scene.app.inject(request)
        expect(answer.statusCode).toBeLessThan(500)
        if (answer.statusCode >= 400) {
          expect(answer.headers['content-type']).toBe('application/problem+json')
          expect(answer.json()).toMatchObject({ status: answer.statusCode })
        }
      }),
      { numRuns: 500 },
    )
    expect(scene.bugs).toEqual([])
  })
})

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const

function target(request: string): Pick<InjectOptions, 'method' | 'url'> {
  const [word, url = ''] = request.split(' ')
  return { method: methods.find((method) => method === word) ?? 'GET', url }
}

/** Nothing that streams on: an answer must come. */
const paths = Object.keys(authorization)
  .map((route) => route.split(' ')[1] ?? '')
  .filter((path) => !path.endsWith('/events'))

const segment = fc.oneof(
  fc.constantFrom('echo', 'lookup', absentId),
  fc.string().map(encodeURIComponent),
)
const query = fc.oneof(
  fc.constant(''),
  fc.webQueryParameters(),
  fc
    .tuple(
      fc.constantFrom(
        'limit',
        'status',
        'agent_id',
        'after',
        'follow',
        'replace',
        'revision',
        'all',
      ),
      fc.string(),
    )
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`),
)
const url = fc
  .tuple(fc.constantFrom(...paths, '/v1/agents', '/v1/executions', '/x'), segment, query)
  .map(([path, part, search]) => `${path.replaceAll(/:\w+/g, part)}?${search}`)

const anyBody = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc.record({ input: fc.jsonValue() }).map((body) => JSON.stringify(body)),
  fc.record({ reference: fc.string() }).map((body) => JSON.stringify(body)),
  fc.record({ kind: fc.string(), metadata: fc.jsonValue() }).map((body) => JSON.stringify(body)),
)

const anyRequest: fc.Arbitrary<InjectOptions> = fc.record({
  method: fc.constantFrom(...methods),
  url,
  headers: fc.record({
    authorization: fc.constant(authorized.authorization),
    host: fc.constant(authorized.host),
    'content-type': fc.oneof(
      fc.constantFrom('application/json', 'application/yaml', 'application/json; charset=utf-16'),
      fc.stringMatching(/^[ -~]{0,30}$/),
    ),
    'last-event-id': fc.stringMatching(/^[ -~]{0,30}$/),
    accept: fc.stringMatching(/^[ -~]{0,30}$/),
  }),
  payload: anyBody,
})

async function openScene(): Promise<TestApp> {
  const node = await openMemoryNode({ start: false })
  await node.plane.agents.deploy(aManifest('echo'))
  return openTestApp(node.plane)
}
