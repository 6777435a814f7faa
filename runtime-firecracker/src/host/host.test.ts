import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KernelRecord } from '../kernels/kernel-record.ts'
import { diagnoseKernel } from './diagnose-kernel.ts'
import { diagnoseKvm } from './diagnose-kvm.ts'
import { describeSpace } from './diagnose-space.ts'
import { parseProbe } from './probe-kvm.ts'

describe('what the probe of KVM says', () => {
  it('is believed word by word', () => {
    const line = '{"state":"usable","detail":"it runs code","nsPerLoop":1.250}\n'
    expect(parseProbe(line)).toEqual({ state: 'usable', detail: 'it runs code', nsPerLoop: 1.25 })
  })

  it('is no proof of anything when it is mangled', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parseProbe(text).state).toBe('broken')
      }),
    )
    expect(parseProbe('{"state":"usable","detail":""}').state).toBe('broken')
  })

  it.each([
    ['usable', 'ok', undefined],
    ['slow', 'warning', /hardware virtualisation/],
    ['broken', 'warning', /hardware virtualisation/],
    ['denied', 'warning', /usermod/],
    ['absent', 'warning', /modprobe/],
  ] as const)('%s is shown as %s, with its remedy', (state, shown, remedy) => {
    const finding = diagnoseKvm({ state, detail: 'so it is', nsPerLoop: 1200.4 })
    expect(finding).toMatchObject({ name: 'KVM', state: shown })
    if (remedy === undefined) expect(finding.remedy).toBeUndefined()
    else expect(finding.remedy).toMatch(remedy)
  })
})

describe('the kernel of machines', () => {
  it('is missing until one was fetched', () => {
    expect(diagnoseKernel(undefined)).toMatchObject({
      state: 'missing',
      remedy: 'aegis kernel fetch',
    })
  })

  it.each([
    ['5.10.240', 'ok'],
    ['6.1.0-28-cloud-amd64', 'ok'],
    ['6.18.3', 'ok'],
    ['6.12.91', 'warning'],
    ['6.180.1', 'warning'],
  ])('of Linux %s is %s for Firecracker', (linux, state) => {
    expect(diagnoseKernel(aRecord(linux))).toMatchObject({
      state,
      detail: expect.stringContaining(`Linux ${linux} (libkrunfw5 1.0, pinned; aaaaaaaaaaaa)`),
    })
  })
})

it.each([
  [40, 'ok'],
  [1, 'warning'],
  [0.2, 'missing'],
  [undefined, 'warning'],
] as const)('%s GiB for the disks of machines are %s', (gibibytes, state) => {
  const free = gibibytes === undefined ? undefined : gibibytes * 2 ** 30
  expect(describeSpace('/var/lib/aegis', free).state).toBe(state)
})

const aRecord = (linux: string): KernelRecord => ({
  digest: 'a'.repeat(64),
  name: 'libkrunfw5',
  linux,
  sizeBytes: 1,
  origin: {
    kind: 'package',
    package: 'libkrunfw5',
    version: '1.0',
    url: 'http://mirror/x.deb',
    digest: 'b'.repeat(64),
    trust: 'pinned',
  },
  arguments: [],
  needsAcpi: false,
  fetchedAt: '2026-11-28T20:00:00.000Z',
})
