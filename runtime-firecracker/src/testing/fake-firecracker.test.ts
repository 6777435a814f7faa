import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FakeFirecracker, type FakeMachinery } from './fake-firecracker.ts'

const nothing = () => {}

function double(machinery: Partial<FakeMachinery> = {}) {
  const fake = new FakeFirecracker('vm-1', '1.16.1', {
    exists: () => true,
    load: () => ({ drives: [], entropy: true }),
    ...{ listen: nothing, boot: nothing, pause: nothing, resume: nothing, write: nothing },
    ...{ flushMetrics: nothing, cutVsock: nothing },
    ...machinery,
  })
  const send = (request: string, body?: object | string) => {
    const [method = '', path = ''] = request.split(' ')
    const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
    const { status, body: answer } = fake.answer(method, path, text)
    if (status !== 400) return status
    return answer !== undefined && 'fault_message' in answer ? answer.fault_message : answer
  }
  const boot = () => {
    send('PUT /boot-source', { kernel_image_path: '/kernel' })
    return send('PUT /actions', { action_type: 'InstanceStart' })
  }
  return { fake, send, boot }
}

it('refuses more processors than there may be in the words of the real one', () => {
  const { send } = double()
  expect(send('PUT /machine-config', { vcpu_count: 64, mem_size_mib: 128 })).toBe(
    'Machine config error: The number of vCPUs must be greater than 0, less than 32 and must be 1 or an even number if SMT is enabled.',
  )
})

it('refuses a field that it does not know in the words of the real one', () => {
  const body = '{"kernel_image_path": "/l2/vmlinux-kru", "bogus":1}'
  expect(double().send('PUT /boot-source', body)).toBe(
    `An error occurred when deserializing the json body of a request: unknown field \`bogus\`, expected one of \`kernel_image_path\`, \`initrd_path\`, \`boot_args\` at line 1 column ${body.indexOf(':1')}.`,
  )
})

it.each([
  [{ mem_size_mib: 128 }, 'missing field `vcpu_count`'],
  [{ vcpu_count: '1', mem_size_mib: 128 }, 'invalid type: string "1", expected u8'],
  [{ vcpu_count: 1, mem_size_mib: 1.5 }, 'invalid type: floating point `1.5`, expected usize'],
  [{ vcpu_count: 1, mem_size_mib: 8, smt: 1 }, 'invalid type: integer `1`, expected a boolean'],
  [
    { vcpu_count: 1, mem_size_mib: 8, huge_pages: '4M' },
    'unknown variant `4M`, expected `None` or `2M`',
  ],
])('refuses %j, which is of the wrong form', (body, words) => {
  expect(double().send('PUT /machine-config', body)).toContain(words)
})

it('configures nothing any more after the start', () => {
  const { send, boot } = double()
  expect(boot()).toBe(204)
  const words = 'The requested operation is not supported after starting the microVM.'
  expect(send('PUT /machine-config', { vcpu_count: 1, mem_size_mib: 128 })).toBe(words)
  expect(send('PUT /entropy', {})).toBe(words)
  expect(send('PUT /logger', { level: 'Info' })).toBe(words)
  expect(send('PUT /actions', { action_type: 'InstanceStart' })).toBe(words)
})

it('neither pauses, flushes nor makes a snapshot before the start', () => {
  const { send } = double()
  const words = 'The requested operation is not supported before starting the microVM.'
  expect(send('PATCH /vm', { state: 'Paused' })).toBe(words)
  expect(send('PUT /actions', { action_type: 'FlushMetrics' })).toBe(words)
  const files = { snapshot_path: '/state', mem_file_path: '/memory' }
  expect(send('PUT /snapshot/create', files)).toBe(words)
})

it('does not start without a kernel', () => {
  expect(double().send('PUT /actions', { action_type: 'InstanceStart' })).toBe(
    'Start microvm error: Cannot start microvm without kernel configuration.',
  )
})

it('cuts the wire even when it refuses a snapshot of a machine that runs', () => {
  let cuts = 0
  const { send, boot, fake } = double({ cutVsock: () => void cuts++ })
  boot()
  const files = { snapshot_path: '/state', mem_file_path: '/memory' }
  expect(send('PUT /snapshot/create', files)).toBe(
    'Create snapshot error: Cannot save the microVM state: Operation not allowed: save/restore unavailable while running',
  )
  expect(cuts).toBe(1)
  expect(send('PATCH /vm', { state: 'Paused' })).toBe(204)
  expect(fake.state).toBe('Paused')
  expect(send('PUT /snapshot/create', files)).toBe(204)
})

it('loads a snapshot only when nothing but sinks was configured', () => {
  const load = {
    snapshot_path: '/state',
    mem_backend: { backend_type: 'File', backend_path: '/memory' },
    resume_vm: true,
  }
  const fresh = double()
  expect(fresh.send('PUT /logger', { level: 'Warning' })).toBe(204)
  expect(fresh.send('PUT /metrics', { metrics_path: '/metrics' })).toBe(204)
  expect(fresh.send('PUT /snapshot/load', load)).toBe(204)
  expect(fresh.fake.state).toBe('Running')
  const used = double()
  used.send('PUT /entropy', {})
  expect(used.send('PUT /snapshot/load', load)).toContain('not allowed after configuring')
})

it('knows one root disk, and drives by the id of their path', () => {
  const { send } = double()
  const drive = (id: string, root: boolean) => ({
    ...{ drive_id: id, is_root_device: root, path_on_host: `/${id}` },
  })
  expect(send('PUT /drives/a', drive('a', true))).toBe(204)
  expect(send('PUT /drives/b', drive('b', true))).toContain('A root block device already exists!')
  expect(send('PUT /drives/c', drive('b', false))).toContain('does not match the id from the body')
  expect(send('PUT /drives/a-b', drive('a-b', false))).toContain('alphanumeric')
})

it('answers whatever is asked, and breaks on none of it', () => {
  const methods = fc.constantFrom('GET', 'PUT', 'PATCH', 'DELETE', 'POST')
  const paths = fc.constantFrom('/', '/vm', '/drives/a', '/boot-source', '/snapshot/load', '/x')
  fc.assert(
    fc.property(methods, paths, fc.oneof(fc.json(), fc.string()), (method, path, text) => {
      const { fake } = double()
      expect([200, 204, 400]).toContain(fake.answer(method, path, text).status)
    }),
  )
})
