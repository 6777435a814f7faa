import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { makeInterrupts } from './interrupts.ts'

function setUp() {
  const clock = { ms: 0 }
  const process = new EventEmitter()
  const counts: number[] = []
  const interrupts = makeInterrupts(process as never, () => clock.ms)
  const listening = interrupts.listen((count) => counts.push(count))
  const interruptAt = (ms: number) => {
    clock.ms = ms
    process.emit('SIGINT')
  }
  return { counts, interruptAt, listening, process }
}

it('counts one keystroke once, however many processes pass it on', () => {
  const { counts, interruptAt } = setUp()
  for (const ms of [1000, 1003, 1040, 2000, 2001]) interruptAt(ms)
  expect(counts).toEqual([1, 2])
})

it('leaves Ctrl-C to the system again once nobody listens', () => {
  const { listening, process } = setUp()
  listening[Symbol.dispose]()
  expect(process.listenerCount('SIGINT')).toBe(0)
})
