import { expect, it } from 'vitest'
import type { ByteStream } from '../sandbox/byte-stream.ts'
import { makeDoorSlot } from './door-slot.ts'

function aStream() {
  const state = { destroyed: false }
  const stream: ByteStream = {
    write: () => true,
    end: () => undefined,
    destroy: () => {
      state.destroyed = true
    },
    async *[Symbol.asyncIterator]() {},
  }
  return { stream, state }
}

const target = { kind: 'agent-api' } as const

it('destroys each connection, and hears no notice, while nobody answers for the sandbox', () => {
  const slot = makeDoorSlot()
  const { stream, state } = aStream()
  slot.onConnect(target, stream)
  slot.onNotice({ kind: 'dns-denied', name: 'example.org' })
  expect(state.destroyed).toBe(true)
})

it('hands everything to the first occupant, and refuses a second', () => {
  const slot = makeDoorSlot()
  const seen: unknown[] = []
  const occupant = {
    onConnect: (...what: unknown[]) => seen.push(what),
    onNotice: (notice: unknown) => seen.push(notice),
  }
  slot.occupy(occupant)
  const { stream, state } = aStream()
  slot.onConnect(target, stream)
  slot.onNotice({ kind: 'dns-denied', name: 'example.org' })
  expect(seen).toEqual([[target, stream], { kind: 'dns-denied', name: 'example.org' }])
  expect(state.destroyed).toBe(false)
  expect(() => slot.occupy(occupant)).toThrow('second execution')
})
