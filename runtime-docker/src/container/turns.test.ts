import { expect, it } from 'vitest'
import { makeTurns } from './turns.ts'

const never = new AbortController().signal

it('lets so many in at a time, the others in the order they came', async () => {
  const turns = makeTurns(2)
  const entered: number[] = []
  const enter = async (number: number) => {
    const turn = await turns.take(never)
    entered.push(number)
    return turn
  }
  const [first, second] = await Promise.all([enter(1), enter(2)])
  const later = [enter(3), enter(4)]
  await Promise.resolve()
  expect(entered).toEqual([1, 2])
  first?.[Symbol.dispose]()
  first?.[Symbol.dispose]()
  await later[0]
  expect(entered).toEqual([1, 2, 3])
  second?.[Symbol.dispose]()
  await later[1]
  expect(entered).toEqual([1, 2, 3, 4])
})

it('forgets who no longer waits', async () => {
  const turns = makeTurns(1)
  const held = await turns.take(never)
  const cancel = new AbortController()
  const given = turns.take(cancel.signal)
  const waiting = turns.take(never)
  cancel.abort(new Error('enough'))
  await expect(given).rejects.toThrow('enough')
  held[Symbol.dispose]()
  await waiting
})

it('hands on a turn that came at the moment it was no longer wanted', async () => {
  const turns = makeTurns(1)
  const held = await turns.take(never)
  const cancel = new AbortController()
  const given = turns.take(cancel.signal)
  held[Symbol.dispose]()
  cancel.abort(new Error('enough'))
  await expect(given).rejects.toThrow('enough')
  await turns.take(never)
})
