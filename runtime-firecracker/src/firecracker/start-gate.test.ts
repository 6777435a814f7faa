import { expect, it } from 'vitest'
import { makeStartGate } from './start-gate.ts'

const never = new AbortController().signal

it('lets so many through at a time, the others in the order in which they came', async () => {
  const gate = makeStartGate(2)
  const inside: number[] = []
  const turns = [0, 1, 2, 3].map(async (number) => {
    const turn = await gate.enter(never)
    inside.push(number)
    return turn
  })
  const first = await turns[0]
  await turns[1]
  expect(inside).toEqual([0, 1])
  first?.[Symbol.dispose]()
  await turns[2]
  expect(inside).toEqual([0, 1, 2])
  // Leaving twice lets nobody else through.
  first?.[Symbol.dispose]()
  ;(await turns[1])?.[Symbol.dispose]()
  await turns[3]
})

it('forgets who gave up, and loses no place over it', async () => {
  const gate = makeStartGate(1)
  const turn = await gate.enter(never)
  const cancel = new AbortController()
  const waiting = gate.enter(cancel.signal)
  cancel.abort(new Error('changed my mind'))
  await expect(waiting).rejects.toThrow('changed my mind')
  turn[Symbol.dispose]()
  ;(await gate.enter(never))[Symbol.dispose]()
  await expect(gate.enter(cancel.signal)).rejects.toThrow('changed my mind')
})
