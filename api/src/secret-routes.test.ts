import { makeRecordingTrail } from '@aegis/core/testing'
import { openMemoryNode } from '@aegis/tests/contract/control-plane-host.ts'
import { expect, it } from 'vitest'
import { authorized, openTestApp } from './testing/open-test-app.ts'

const secretText = 'ghp_0123456789abcdef'

async function openScene() {
  const node = await openMemoryNode({ start: false })
  const audit = makeRecordingTrail()
  return { ...(await openTestApp(node.plane, { audit })), audit }
}

const put = (payload: string, url = '/api/secrets/github') =>
  ({
    method: 'PUT',
    url,
    headers: { ...authorized, 'content-type': 'application/json' },
    payload,
  }) as const

it.each([
  ['a body that is no JSON', `{"value":"${secretText}`, 400],
  ['a body in the wrong form', `["${secretText}"]`, 422],
  ['a value in a list', `{"value":["${secretText}"]}`, 422],
  ['a scope that is missing', `{"value":"${secretText}"}`, 422],
  ['a scope that cannot be read', `{"value":"${secretText}","agents":["a"],"hosts":["*"]}`, 422],
  [
    'a value that no header can carry',
    JSON.stringify({ value: `${secretText}\n`, agents: ['a'], hosts: ['a.example'] }),
    422,
  ],
])('repeats nothing of a secret to who sends %s', async (_, body, status) => {
  await using scene = await openScene()
  const answer = await scene.app.inject(put(body))
  expect(answer.statusCode).toBe(status)
  expect(answer.body).not.toContain('ghp_')
  expect(JSON.stringify(scene.logged)).not.toContain('ghp_')
})

it('answers with what a secret is for, and logs nothing of its value', async () => {
  await using scene = await openScene()
  const body = { value: secretText, agents: ['coder'], hosts: ['api.github.com'] }
  const answer = await scene.app.inject(put(JSON.stringify(body)))
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toMatchObject({
    created: true,
    secret: { name: 'github', agents: ['coder'], hosts: ['api.github.com'], state: 'intact' },
  })
  const list = await scene.app.inject({ url: '/v1/secrets', headers: authorized })
  expect(list.json()).toMatchObject([{ name: 'github' }])
  for (const text of [answer.body, list.body, JSON.stringify(scene.logged)]) {
    expect(text).not.toContain('ghp_')
  }
  expect(scene.logged.length).toBeGreaterThan(0)
  await scene.audit.recorded(2)
  expect(scene.audit.entries[0]).toMatchObject({ type: 'api.called', data: { resource: 'github' } })
  expect(JSON.stringify(scene.audit.entries)).not.toContain('ghp_')
})
