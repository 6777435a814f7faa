import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { FakeFirecracker } from '../testing/fake-firecracker.ts'
import type { FakeVmmPlan } from '../testing/fake-vmm-plan.ts'
import { serveFake } from '../testing/serve-fake.ts'
import { faultOf, openApiClient } from './api-client.ts'

const signal = new AbortController().signal
const nothing = () => {}

async function clientOf(plan: Pick<FakeVmmPlan, 'at'> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-fc-api-'))
  const double = new FakeFirecracker('vm-1', '1.16.1', {
    exists: () => true,
    load: () => ({ drives: [], entropy: true }),
    ...{ listen: nothing, boot: nothing, pause: nothing, resume: nothing, write: nothing },
    ...{ flushMetrics: nothing, cutVsock: nothing },
  })
  const server: Server = serveFake(double, plan)
  const path = join(directory, 'api.sock')
  server.listen(path)
  await once(server, 'listening')
  const client = openApiClient(path)
  onTestFinished(async () => {
    client[Symbol.dispose]()
    server.closeAllConnections()
    server.close()
    await rm(directory, { recursive: true })
  })
  return { client, server, double }
}

it('changes and asks over one connection', async () => {
  const { client, server } = await clientOf()
  let connections = 0
  server.on('connection', () => connections++)
  await client.change('PUT /boot-source', { kernel_image_path: '/kernel' }, { signal })
  await client.change('PUT /actions', { action_type: 'InstanceStart' }, { signal })
  expect(await client.ask('GET /', { signal })).toMatchObject({ id: 'vm-1', state: 'Running' })
  expect(connections).toBe(1)
})

it('never makes a second connection, since the path may lead elsewhere by then', async () => {
  const { client, server } = await clientOf()
  await client.ask('GET /version', { signal })
  server.closeAllConnections()
  await expect(client.ask('GET /', { signal })).rejects.toMatchObject({ code: 'firecracker.gone' })
})

it('gives the words of a refusal, disarmed', async () => {
  const words = 'No\u001b[31m: such file'
  const { client } = await clientOf({ at: { 'PUT /entropy': { kind: 'refuse', words } } })
  const error = await client.change('PUT /entropy', {}, { signal }).catch((thrown) => thrown)
  expect(error).toMatchObject({ kind: 'unavailable', code: 'firecracker.refused' })
  expect(faultOf(error)).toBe('No [31m: such file')
})

it('gives up on a Firecracker that does not answer, and when its caller does', async () => {
  const { client } = await clientOf({ at: { 'GET /': { kind: 'hang' } } })
  await expect(client.ask('GET /', { signal, timeoutMs: 20 })).rejects.toMatchObject({
    kind: 'timeout',
    code: 'firecracker.timeout',
  })
  const other = await clientOf({ at: { 'GET /': { kind: 'hang' } } })
  const cancel = new AbortController()
  const asked = other.client.ask('GET /', { signal: cancel.signal })
  cancel.abort(new Error('changed my mind'))
  await expect(asked).rejects.toThrow('changed my mind')
})

it('reads no more of an answer than an answer can have', async () => {
  const { client } = await clientOf({ at: { 'GET /version': { kind: 'flood', bytes: 1 << 20 } } })
  await expect(client.ask('GET /version', { signal })).rejects.toMatchObject({
    code: 'firecracker.answer',
    message: expect.stringContaining('longer than 65536 bytes'),
  })
})

it('takes no answer for an answer that is none', async () => {
  const { client } = await clientOf({ at: { 'GET /version': { kind: 'flood', bytes: 10 } } })
  await expect(client.ask('GET /version', { signal })).rejects.toMatchObject({
    code: 'firecracker.answer',
  })
})
