import { sandboxId } from '@aegis/core'
import { expect, it } from 'vitest'
import type { MachinePlan } from '../machine/machine-plan.ts'
import { requests } from './api-schema.ts'
import { machineRequests, restoreRequest, sinkRequests } from './configure-machine.ts'

const plan: MachinePlan = {
  id: sandboxId('vm-1'),
  vcpus: 2,
  memoryBytes: 200_000_000,
  kernel: { path: '/k', digest: '', arguments: ['acpi=off'] },
  disks: {
    guest: { path: '/store/guest', readOnly: true },
    image: { path: '/store/image', readOnly: true },
    scratch: { path: '/home/scratch', readOnly: false },
  },
  cpuMillicores: 2000,
  guest: { memoryBytes: 1 << 20, pids: 8, readOnly: false },
  forSnapshot: false,
}
const all = [...sinkRequests, ...machineRequests(plan)]
const bodyOf = (name: string, id?: string) =>
  all.find(([request, , drive]) => request === name && drive === id)?.[1]

it('says only what Firecracker understands', () => {
  for (const [name, body] of [...all, restoreRequest])
    expect(requests[name].safeParse(body).error).toBeUndefined()
})

it('says where words go before all else, and all of a machine before it starts', () => {
  expect(all.map(([name, , id]) => (id === undefined ? name : `${name} ${id}`))).toEqual([
    ...['PUT /logger', 'PUT /metrics', 'PUT /serial', 'PUT /machine-config', 'PUT /boot-source'],
    ...['PUT /drives/{} guest', 'PUT /drives/{} image', 'PUT /drives/{} scratch'],
    ...['PUT /vsock', 'PUT /entropy'],
  ])
})

it('gives no machine a network card, or metadata', () => {
  expect(JSON.stringify(all)).not.toMatch(/network|mmds|iface|169\.254/)
})

it('gives every machine an entropy device, of so much in a second', () => {
  expect(bodyOf('PUT /entropy')).toEqual({
    rate_limiter: { bandwidth: { size: 262_144, refill_time: 1000 } },
  })
})

it('turns the serial port off, and bounds it for whoever turns it on', () => {
  expect(bodyOf('PUT /boot-source')).toMatchObject({
    boot_args: expect.stringMatching(
      /^quiet loglevel=1 reboot=k panic=1 8250\.nr_uarts=0 .* acpi=off root=\/dev\/vda .* aegis\.wire=vsock:1024 /,
    ),
  })
  expect(bodyOf('PUT /serial')).toMatchObject({ rate_limiter: { size: 65_536 } })
})

it.each([
  ['guest', true],
  ['image', true],
  ['scratch', false],
])('limits what is read and written on the disk %s in a second', (id, readOnly) => {
  expect(bodyOf('PUT /drives/{}', id)).toMatchObject({
    path_on_host: `/${id}`,
    is_read_only: readOnly,
    rate_limiter: { bandwidth: { refill_time: 1000 }, ops: { refill_time: 1000 } },
  })
})

it('names files as they are seen in the jail alone', () => {
  expect(JSON.stringify(all)).not.toMatch(/\/store|\/home/)
})

it('moves the wire to the jail of the machine that a snapshot becomes', () => {
  expect(restoreRequest[1]).toMatchObject({
    resume_vm: true,
    vsock_override: { uds_path: '/v.sock' },
  })
})
