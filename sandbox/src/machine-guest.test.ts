import { describe, expect, it } from 'vitest'
import { connectGuest } from './connect-guest.ts'
import type { MachineGuest } from './machine-guest.ts'
import { makeReseedProofs } from './reseed-proofs.ts'
import {
  command,
  configured,
  type FakeGuest,
  finish,
  hello,
  makeFakeGuest,
  never,
  u32,
  withCommand,
} from './testing/fake-guest.ts'
import { FrameType } from './wire/frame.ts'

const options = { onConnect: () => {}, outputLimitBytes: 1 << 20 }

const feature = { machine: 4, entropy: 8, restored: 16 }

function machineHello(features: number, generation: Buffer = Buffer.alloc(0)): Buffer {
  const payload = Buffer.concat([hello(), generation])
  payload.writeUInt16BE(features, 6)
  return payload
}

/** No DNS, one listener, and these words before it. */
const reseeded = (proof: Buffer, words = 'OK OK OK OK'): Buffer =>
  Buffer.concat([Buffer.of(2, 1), proof, Buffer.from(`${words} OK`)])

const proof = (byte: number): Buffer => Buffer.alloc(32, byte)

function connectMachine(machine: MachineGuest) {
  const { guest, hostEnd } = makeFakeGuest()
  return { guest, hostEnd, connecting: connectGuest(hostEnd, { ...options, machine }, never) }
}

async function bootMachine(machine: MachineGuest, answer: Buffer) {
  const { guest, hostEnd, connecting } = connectMachine(machine)
  guest.send(FrameType.hello, 0, machineHello(feature.machine | feature.entropy))
  const { payload } = await guest.next(FrameType.configure)
  guest.send(FrameType.configured, 0, answer)
  return { guest, hostEnd, connecting, payload }
}

async function restoreMachine(machine: MachineGuest, answer: Buffer) {
  const { guest, hostEnd, connecting } = connectMachine(machine)
  const generation = (await guest.next(FrameType.resume)).payload
  guest.send(FrameType.hello, 0, machineHello(feature.machine | feature.restored, generation))
  const { payload } = await guest.next(FrameType.configure)
  guest.send(FrameType.configured, 0, answer)
  return { guest, hostEnd, connecting, generation, payload }
}

describe('a machine', () => {
  it('is given entropy that nobody else gets, and the time', async () => {
    const proofs = makeReseedProofs()
    const now = () => 1_700_000_000_000
    const first = await bootMachine({ proofs, now }, reseeded(proof(1)))
    const second = await bootMachine({ proofs, now }, reseeded(proof(2)))
    await Promise.all([first.connecting, second.connecting])
    const entropyOf = (payload: Buffer) => payload.subarray(21, 85)
    expect(first.payload.readUInt8(0)).toBe(2 | 4)
    expect(first.payload.readBigUInt64BE(85)).toBe(1_700_000_000_000_000n)
    expect(entropyOf(first.payload)).not.toEqual(entropyOf(second.payload))
  })

  it.each([
    'entropy',
    'reseed',
    'clock',
    'proof',
  ])('is refused when its kernel refused the step %s', async (step) => {
    const words = ['entropy', 'reseed', 'clock', 'proof'].map((s) => (s === step ? 'EPERM' : 'OK'))
    const { hostEnd, connecting } = await bootMachine(
      { proofs: makeReseedProofs() },
      reseeded(proof(1), words.join(' ')),
    )
    await expect(connecting).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'guest.reseed',
      details: { step, errno: 'EPERM' },
    })
    expect(hostEnd.destroyed).toBe(true)
  })

  it('is refused when it shows the random numbers of another one', async () => {
    const proofs = makeReseedProofs()
    await (await restoreMachine({ proofs, restored: {} }, reseeded(proof(7)))).connecting
    const twin = await restoreMachine({ proofs, restored: {} }, reseeded(proof(7)))
    await expect(twin.connecting).rejects.toMatchObject({ code: 'guest.reseed' })
    expect(twin.hostEnd.destroyed).toBe(true)
  })

  it('is refused when it shows none', async () => {
    const { connecting } = await bootMachine({ proofs: makeReseedProofs() }, configured)
    await expect(connecting).rejects.toThrow(/reseed/)
  })

  it.each([
    ['is a sandbox that shares a kernel', 0, Buffer.alloc(0)],
    ['was restored though it should boot', feature.machine | feature.restored, Buffer.alloc(16)],
  ])('is refused when it %s', async (_what, features, generation) => {
    const { guest, connecting } = connectMachine({ proofs: makeReseedProofs() })
    guest.send(FrameType.hello, 0, machineHello(features, generation))
    await expect(connecting).rejects.toMatchObject({ code: 'guest.lost' })
  })

  it.each([
    ['an older life', feature.machine | feature.restored, Buffer.alloc(16, 1)],
    ['a boot', feature.machine, Buffer.alloc(0)],
  ])('is refused when it speaks of %s instead of being restored', async (_what, features, life) => {
    const { guest, connecting } = connectMachine({ proofs: makeReseedProofs(), restored: {} })
    guest.send(FrameType.hello, 0, machineHello(features, life))
    await expect(connecting).rejects.toThrow(/another life/)
  })

  it('is not what a sandbox that shares a kernel may claim to be', async () => {
    const { guest, hostEnd } = makeFakeGuest()
    const connecting = connectGuest(hostEnd, options, never)
    guest.send(FrameType.hello, 0, machineHello(feature.machine))
    await expect(connecting).rejects.toThrow(/claims a kernel/)
  })
})

describe('a command that stands by', () => {
  const restored = { standby: 3 }

  it('hears nothing before the machine has shown its random numbers', async () => {
    const { guest, connecting } = connectMachine({ proofs: makeReseedProofs(), restored })
    const { payload: generation } = await guest.next(FrameType.resume)
    guest.send(FrameType.hello, 0, machineHello(feature.machine | feature.restored, generation))
    await guest.next(FrameType.configure)
    // The session that could write to it does not exist yet.
    const first = await Promise.race([connecting, new Promise((r) => setImmediate(r, 'waiting'))])
    expect(first).toBe('waiting')
    guest.send(FrameType.configured, 0, reseeded(proof(1)))
    const session = await connecting
    await session.standby?.writeStdin(Buffer.from('task'))
    expect(await guest.next(FrameType.data)).toMatchObject({ channel: 3 })
  })

  it('goes on where it was, with channels after it for others', async () => {
    const { guest, connecting } = await restoreMachine(
      { proofs: makeReseedProofs(), restored },
      reseeded(proof(1)),
    )
    const session = await connecting
    const output = Array.fromAsync(session.standby?.stdout ?? [])
    guest.send(FrameType.data, 3, Buffer.from('done'))
    finish(guest, 3)
    expect(Buffer.concat(await output).toString()).toBe('done')
    expect(await session.standby?.exit).toMatchObject({ code: 0 })
    void session.exec(command, never).catch(() => {})
    expect(await guest.next(FrameType.exec)).toMatchObject({ channel: 4 })
    session.close()
  })

  it('may not speak before CONFIGURED', async () => {
    const { guest, connecting } = connectMachine({ proofs: makeReseedProofs(), restored })
    const { payload: generation } = await guest.next(FrameType.resume)
    guest.send(FrameType.hello, 0, machineHello(feature.machine | feature.restored, generation))
    guest.send(FrameType.data, 3, Buffer.from('early'))
    await expect(connecting).rejects.toMatchObject({ code: 'guest.lost' })
  })
})

describe('getting ready for a snapshot', () => {
  it('says which command stands by, and is the last thing a session does', async () => {
    const { guest, session } = await withCommand()
    const quieting = session.quiesce(never)
    await guest.next(FrameType.quiesce)
    guest.send(FrameType.quiet, 0, u32(1))
    expect(await quieting).toEqual({ standby: 1 })
    await expect(session.exec(command, never)).rejects.toMatchObject({ code: 'sandbox.ended' })
    session.close()
  })

  it('is refused with the reason, and the session goes on', async () => {
    const { guest, session } = await withCommand({ pingIntervalMs: 5 })
    const quieting = session.quiesce(never)
    await guest.next(FrameType.quiesce)
    guest.send(FrameType.quiet, 0, Buffer.concat([u32(0), Buffer.from('standby EBUSY')]))
    await expect(quieting).rejects.toMatchObject({ kind: 'conflict', code: 'guest.busy' })
    guest.send(FrameType.pong, 0, (await guest.next(FrameType.ping)).payload)
    finish(guest, 1)
    await guest.next(FrameType.close)
    session.close()
  })

  it('ends with the session', async () => {
    const { guest, session } = await withCommand()
    const quieting = session.quiesce(never)
    guest.wire.destroy()
    await expect(quieting).rejects.toMatchObject({ code: 'sandbox.ended' })
  })

  const lies: readonly (readonly [string, (guest: FakeGuest) => void])[] = [
    ['a command that is not there', (guest) => guest.send(FrameType.quiet, 0, u32(2))],
    ['no command where one runs', (guest) => guest.send(FrameType.quiet, 0, u32(0))],
    [
      'a reason in no known form',
      (guest) => guest.send(FrameType.quiet, 0, Buffer.concat([u32(0), Buffer.from('\x1b[2J')])),
    ],
  ]
  it.each(lies)('breaks the protocol with %s', async (_what, lie) => {
    const { guest, session } = await withCommand()
    const quieting = session.quiesce(never)
    await guest.next(FrameType.quiesce)
    lie(guest)
    await expect(quieting).rejects.toMatchObject({ code: 'sandbox.ended' })
    expect(await session.ended).toBe('protocol_violation')
  })

  it('is not announced by a guest that nobody asked', async () => {
    const { guest, session } = await withCommand()
    guest.send(FrameType.quiet, 0, u32(1))
    expect(await session.ended).toBe('protocol_violation')
  })
})

describe('the memory of proofs', () => {
  it('forgets the oldest beyond its bound and nothing sooner', () => {
    const proofs = makeReseedProofs()
    for (let i = 0; i < 65_536; i++) expect(proofs.admit(u32(i))).toBe(true)
    expect(proofs.admit(u32(0))).toBe(false)
    expect(proofs.admit(u32(65_536))).toBe(true)
    expect(proofs.admit(u32(0))).toBe(true)
    expect(proofs.admit(u32(2))).toBe(false)
  })
})
