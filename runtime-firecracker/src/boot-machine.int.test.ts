import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { type SandboxSpec, sandboxId } from '@aegis/core'
import { makeReseedProofs } from '@aegis/sandbox'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bootMachine } from './boot-machine.ts'
import { machineDirectories } from './machine/machine-directories.ts'
import type { Machine, Monitor } from './machine/monitor.ts'
import type { MachineHost } from './machine-host.ts'

const never = new AbortController().signal

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-boot-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const frame = (type: number, payload: Buffer): Buffer =>
  Buffer.concat([
    Buffer.of(type, 0, payload.length >> 8, payload.length & 255, 0, 0, 0, 0),
    payload,
  ])
/** Version 4, the first process of a machine whose random numbers are seeded. */
const hello = frame(1, Buffer.from('AEGI\0\x04\0\x0d', 'latin1'))
const configured = (words: string): Buffer =>
  frame(3, Buffer.concat([Buffer.of(2, 1), Buffer.alloc(32, 7), Buffer.from(words)]))

/** A machine whose guest answers CONFIGURE in this way, and has said `words` on its console. */
function machineOf(answer: (wire: Duplex) => void, words: string): Machine {
  const [wire, guest] = duplexPair()
  guest.on('error', () => {})
  guest.once('data', () => answer(guest))
  guest.write(hello)
  return {
    wire,
    ended: Promise.resolve({ reason: 'The guest ended', words, outOfMemory: false }),
    phases: {},
    residentBytes: async () => undefined,
    cpuMs: async () => undefined,
    snapshot: () => Promise.reject(new Error('No snapshots here')),
    async [Symbol.asyncDispose]() {
      wire.destroy()
    },
  }
}

function hostOf(machine: Machine): MachineHost {
  const monitor: Monitor = {
    name: 'qemu',
    limits: {
      description: 'none',
      enforced: { cpu: true, memory: true, pids: true },
      remedy: undefined,
    },
    description: 'none',
    snapshotClass: 'none',
    patience: 1,
    boot: async () => machine,
    restore: () => Promise.reject(new Error('No snapshots here')),
    sweep: async () => [],
    diagnose: async () => [],
    [Symbol.asyncDispose]: async () => {},
  }
  return {
    monitor,
    images: {
      open: async () => ({
        path: '/image',
        fileSystem: 'erofs',
        env: {},
        [Symbol.asyncDispose]: async () => {},
      }),
    },
    kernel: async () => ({ path: '/kernel', digest: '', arguments: [] }),
    guestDisk: async () => '/guest',
    disks: machineDirectories(join(directory, 'disks')),
    proofs: makeReseedProofs(),
    snapshots: undefined,
    logger: undefined,
    guestTiming: {},
  }
}

const spec: SandboxSpec = {
  id: sandboxId('refused'),
  interpreter: { language: 'none', version: '', image: 'image' },
  limits: {
    cpuMillicores: 1000,
    memoryBytes: 64 << 20,
    diskBytes: 1 << 20,
    pids: 8,
    outputBytes: 1,
  },
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: (_target, stream) => stream.destroy(),
}

it.each([
  [
    'proved no random numbers',
    (guest: Duplex) => guest.write(configured('OK EPERM OK OK OK')),
    { code: 'guest.reseed', details: { step: 'reseed', errno: 'EPERM' } },
  ],
  [
    'broke the wire protocol',
    (guest: Duplex) => guest.write(hello),
    { code: 'guest.lost', details: { cause: 'protocol_violation' } },
  ],
  [
    'ended without a reason',
    (guest: Duplex) => guest.destroy(),
    { code: 'sandbox.boot', message: expect.stringContaining('an excuse') },
  ],
])('says of a machine that %s why it did not come up', async (_what, answer, outcome) => {
  const host = hostOf(machineOf(answer, 'an excuse'))
  const booting = bootMachine(host, spec, { forSnapshot: false }, new AsyncDisposableStack(), never)
  await expect(booting).rejects.toMatchObject({ kind: 'unavailable', ...outcome })
  expect(await host.disks.sweep(new Set())).toEqual([])
})
