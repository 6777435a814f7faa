import { readFile } from 'node:fs/promises'
import { aManifest } from '@aegis/core/testing'
import { openMemoryNode } from '@aegis/tests/contract/control-plane-host.ts'
import { describe, expect, it } from 'vitest'
import { authorization } from './authorization.ts'
import { authorized, openTestApp, type TestApp } from './testing/open-test-app.ts'

const absentId = '00000000-0000-4000-8000-000000000000'
const sample = (path: string) => path.replace(':id', absentId).replaceAll(/:\w+/g, 'nobody')

describe('the routes', () => {
  it('all stand in the authorization table, and the table holds no others', async () => {
    await using scene = await openScene()
    const served = routesOf(scene.app.printRoutes())
    const mirrored = Object.keys(authorization)
      .filter((route) => route.includes(' /api/'))
      .map((route) => route.replace(' /api/', ' /v1/'))
    expect(served).toEqual([...Object.keys(authorization), ...mirrored].sort())
  })

  it.each(
    Object.entries(authorization),
  )('%s lets nobody without a token in: %o', async (route, access) => {
    await using scene = await openScene()
    const [method, path = ''] = route.split(' ')
    for (const url of [sample(path), sample(path.replace('/api/', '/v1/'))]) {
      const answer = await scene.app.inject({
        method: method === 'GET' || method === 'POST' ? method : 'DELETE',
        url,
        headers: { host: 'localhost' },
      })
      expect(answer.statusCode).toBe(access === 'open' ? 200 : 401)
    }
  })

  it('are described in OpenAPI, from the schemas that parse the requests', async () => {
    await using scene = await openScene()
    const answer = await scene.app.inject({ url: '/openapi.json', headers: authorized })
    const document = answer.json()
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'AEGIS', version: '1.2.3' } })
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(Object(methods)).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const expected = Object.keys(authorization)
      .filter((route) => !/\/(metrics|openapi.json)$/.test(route))
      .map((route) => route.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{*}'))
    expect(described.sort()).toEqual(expected.sort())
    const { post } = document.paths['/api/agents']
    expect(post.requestBody.content['application/json'].schema.properties).toHaveProperty('spec')
    const limit = document.paths['/api/executions'].get.parameters.find(
      ({ name }: { name: string }) => name === 'limit',
    )
    expect(limit).toEqual({
      name: 'limit',
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 1_000 },
    })
    for (const path of ['/api/agents', '/api/images/pull']) {
      const { content } = document.paths[path].post.responses['200']
      expect(Object.keys(content)).toEqual(['application/json', 'text/event-stream'])
    }
    expect(document.paths['/api/agents'].get.responses.default.content).toHaveProperty(
      'application/problem+json',
    )
  })

  it('all stand in the reference page', async () => {
    const page = await readFile(
      new URL('../../docs/reference/http-api.md', import.meta.url),
      'utf8',
    )
    const rows = page.matchAll(/^\| `([A-Z]+ \/[^`]*)` \| ([^|]+) \|/gm)
    const listed = [...rows].map(([, route, needs]) => [route, needs])
    const words = { open: 'none', known: 'any token' }
    const expected = Object.entries(authorization).map(([route, access]) => [
      route,
      typeof access === 'string' ? words[access] : `\`${access.action}\``,
    ])
    expect(listed.sort()).toEqual(expected.sort())
  })

  it('answer a manifest in JSON or YAML, and take it back as they gave it', async () => {
    await using scene = await openScene()
    const yaml = [
      'apiVersion: 100monkeys.ai/v1',
      'kind: AgentManifest',
      'metadata: { name: greeter, version: "1.0.0" }',
      'spec:',
      '  runtime: { language: javascript, version: "24" }',
      '  task: { prompt_template: "{{input}}" }',
    ].join('\n')
    const post = (payload: string, type: string) =>
      scene.app.inject({
        method: 'POST',
        url: '/api/agents',
        headers: { ...authorized, 'content-type': type },
        payload,
      })
    const first = await post(yaml, 'text/yaml; charset=utf-8')
    expect(first.statusCode).toBe(200)
    expect(first.json()).toMatchObject({ revision: 1, changed: true })
    const shown = await scene.app.inject({ url: '/v1/agents/greeter', headers: authorized })
    expect(shown.json()).toMatchObject({ kind: 'AgentManifest', metadata: { name: 'greeter' } })
    const again = await post(shown.body, 'application/json')
    expect(again.json()).toEqual({ ...first.json(), changed: false })
    const { agent_id } = first.json()
    const lookup = await scene.app.inject({
      url: '/api/agents/lookup/greeter',
      headers: authorized,
    })
    expect(lookup.json()).toEqual({ id: agent_id })
  })

  it('tell about health without a token, and about readiness by the status', async () => {
    await using scene = await openScene()
    await using starting = await openTestApp((await openMemoryNode({ start: false })).plane, {
      isReady: false,
    })
    const get = async ({ app }: TestApp, url: string, method: 'GET' | 'HEAD' = 'GET') =>
      app.inject({ method, url, headers: { host: '127.0.0.1' } })
    expect((await get(scene, '/health')).json()).toEqual({
      status: 'healthy',
      uptime_seconds: 0,
      ready: true,
    })
    expect((await get(scene, '/health/ready')).statusCode).toBe(200)
    expect((await get(scene, '/health/ready', 'HEAD')).statusCode).toBe(200)
    expect((await get(starting, '/health')).json()).toMatchObject({ status: 'starting' })
    expect((await get(starting, '/health/live')).statusCode).toBe(200)
    expect((await get(starting, '/health/ready')).statusCode).toBe(503)
  })

  it('leave metrics out where the node does not serve them', async () => {
    await using node = await openMemoryNode({ start: false })
    await using scene = await openTestApp(node.plane, { servesMetrics: false })
    const answer = await scene.app.inject({ url: '/metrics', headers: authorized })
    expect(answer.statusCode).toBe(404)
  })

  it('show metrics in the text format of Prometheus, those of other parts included', async () => {
    const { plane } = await openMemoryNode({ start: false })
    await plane.agents.deploy(aManifest('echo'))
    await plane.executions.execute('echo', 'hi')
    const sandboxes = { cold: 0, warm: 1, hot: 2, terminated: 3, failed: 4 }
    const counts = { ...sandboxes, warmStarts: 5, restoredStarts: 4, coldStarts: 6 }
    const status = async () => ({ ...(await plane.node.status()), sandboxes: counts })
    await using scene = await openTestApp({ ...plane, node: { ...plane.node, status } })
    await scene.app.inject({ url: '/api/agents', headers: authorized })
    await scene.app.inject({ url: '/metrics', headers: authorized }) // Asking changes no count.
    const { body, headers } = await scene.app.inject({ url: '/metrics', headers: authorized })
    expect(headers['content-type']).toContain('text/plain; version=0.0.4')
    for (const line of [
      'aegis_executions{status="queued"} 1',
      'aegis_queue_depth 1',
      'aegis_free_cpu_millicores 4000',
      'aegis_sandboxes{state="cold"} 0',
      'aegis_sandboxes{state="warm"} 1',
      'aegis_sandboxes{state="hot"} 2',
      'aegis_sandboxes_terminated_total 3',
      'aegis_sandboxes_failed_total 4',
      'aegis_sandbox_starts_total{start="warm"} 5',
      'aegis_sandbox_starts_total{start="restored"} 4',
      'aegis_sandbox_starts_total{start="cold"} 6',
      'aegis_http_request_duration_seconds_count{method="GET",route="/api/agents",status="200"} 1',
      'other_total 1',
    ]) {
      expect(body).toContain(`${line}\n`)
    }
    expect(body).toMatch(/^process_resident_memory_bytes \d+$/m)
  })

  it('keep answers out of caches', async () => {
    await using scene = await openScene()
    const { headers } = await scene.app.inject({ url: '/api/agents', headers: authorized })
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
  })
})

describe('a node with a bug', () => {
  it('answers 500 without words, and logs the reason once', async () => {
    const { plane } = await openMemoryNode({ start: false })
    const secretive = () => Promise.reject(new Error('the disk said: hunter2'))
    await using scene = await openTestApp({
      ...plane,
      agents: { ...plane.agents, list: secretive },
    })
    const answer = await scene.app.inject({ url: '/api/agents', headers: authorized })
    expect(answer.statusCode).toBe(500)
    expect(answer.body).not.toContain('hunter2')
    const { instance, code } = answer.json()
    expect(code).toBe('internal')
    expect(scene.bugs).toHaveLength(1)
    expect(scene.bugs[0]).toMatchObject({ requestId: instance.replace('urn:uuid:', '') })
  })
})

describe('the Host check', () => {
  it.each([
    ['127.0.0.1', 'localhost', 200],
    ['127.0.0.1', 'LOCALHOST:9999', 200],
    ['127.0.0.1', '[::1]:8000', 200],
    ['127.0.0.1', 'aegis.example', 200],
    ['127.0.0.1', '10.0.0.7', 421],
    ['10.0.0.7', '10.0.0.7:8000', 200],
    ['fd00::7', '[fd00::7]:8000', 200],
    ['0.0.0.0', '10.0.0.7:8000', 200],
    ['::', '[fd00::7]:8000', 200],
    ['0.0.0.0', 'evil.example', 421],
    ['0.0.0.0', '10.0.0.7.evil.example', 421],
  ])('bound to %s answers %s with %i', async (bindAddress, host, status) => {
    const { plane } = await openMemoryNode({ start: false })
    await using scene = await openTestApp(plane, { bindAddress })
    const { statusCode } = await scene.app.inject({ url: '/health', headers: { host } })
    expect(statusCode).toBe(status)
  })

  it('lets a page of its own through', async () => {
    await using scene = await openScene()
    const headers = { host: 'localhost:8000', origin: 'http://localhost:8000' }
    const { statusCode } = await scene.app.inject({ url: '/health', headers })
    expect(statusCode).toBe(200)
  })
})

async function openScene(): Promise<TestApp> {
  const { plane } = await openMemoryNode({ start: false })
  await plane.agents.deploy(aManifest('echo'))
  await plane.executions.execute('echo', 'hi')
  return openTestApp(plane)
}

/** `METHOD /path` for each route of the router's tree, sorted. */
function routesOf(tree: string): string[] {
  const routes: string[] = []
  const above: string[] = []
  for (const line of tree.split('\n')) {
    const entry = /^([│ ]*)[├└]── (\S*)(?: \((.*)\))?$/.exec(line)
    if (entry === null) continue
    const [, indent = '', part = '', methods = ''] = entry
    above.splice(indent.length / 4)
    above.push(part)
    const path = above.join('').replace(/(.)\/$/, '$1')
    for (const method of methods.split(', ').filter((name) => name !== '' && name !== 'HEAD')) {
      routes.push(`${method} ${path}`)
    }
  }
  return routes.sort()
}
