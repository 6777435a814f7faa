import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type GuestArguments, guestArguments } from './guest-arguments.ts'

const guest: GuestArguments = {
  wire: { kind: 'vsock', port: 1024 },
  memoryBytes: 64 << 20,
  pids: 64,
  readOnly: false,
}

it('tells the guest its disks, its wire and its limits', () => {
  expect(guestArguments(guest).join(' ')).toBe(
    'root=/dev/vda rootfstype=erofs ro init=/aegis-guest aegis.wire=vsock:1024 aegis.memory=67108864 aegis.pids=64',
  )
})

it('names a port, and says when the workspace is read-only', () => {
  const words = guestArguments({
    ...guest,
    wire: { kind: 'port', name: 'aegis.wire' },
    readOnly: true,
  })
  expect(words).toContain('aegis.wire=port:aegis.wire')
  expect(words).toContain('aegis.workspace=ro')
})

it('refuses what the guest would refuse, and says which value it was', () => {
  expect(() => guestArguments({ ...guest, pids: 0 })).toThrow(/^pids of a guest is 0;/)
  expect(() => guestArguments({ ...guest, memoryBytes: 1.5 })).toThrow(/^memoryBytes /)
  expect(() => guestArguments({ ...guest, wire: { kind: 'vsock', port: 2 ** 32 } })).toThrow(
    /^wire.port /,
  )
})

it('never lets a name become a word of its own', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      try {
        const words = guestArguments({ ...guest, wire: { kind: 'port', name } })
        expect(words.join(' ').split(/\s+/)).toEqual(words)
      } catch (error) {
        expect(error).toMatchObject({ code: 'guest.argument' })
      }
    }),
  )
})
