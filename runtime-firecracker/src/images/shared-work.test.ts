import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { makeSharedWork } from './shared-work.ts'

const never = new AbortController().signal

/** Work that ends when it is told to. */
function aWork(begun: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<string>()
  return {
    end: () => resolve(name),
    work: async () => {
      begun.push(name)
      return promise
    },
  }
}

describe('work that several want', () => {
  it('is done for so many keys at once, the others in the order in which they came', async () => {
    const shared = makeSharedWork<number, string>(2)
    const begun: string[] = []
    const works = ['a', 'b', 'c', 'd'].map((name) => ({ name, ...aWork(begun, name) }))
    const results = works.map(({ name, work }) => shared.join(name, work, () => undefined, never))
    await setImmediate()
    expect(begun).toEqual(['a', 'b'])
    works[1]?.end()
    expect(await results[1]).toBe('b')
    await setImmediate()
    expect(begun).toEqual(['a', 'b', 'c'])
    for (const { end } of works) end()
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('gives up its place when nobody waits for it any more', async () => {
    const shared = makeSharedWork<number, string>(1)
    const begun: string[] = []
    const [first, second, third] = ['a', 'b', 'c'].map((name) => aWork(begun, name))
    const cancel = new AbortController()
    const running = shared.join('a', first?.work ?? fail, () => undefined, never)
    const left = shared.join('b', second?.work ?? fail, () => undefined, cancel.signal)
    const last = shared.join('c', third?.work ?? fail, () => undefined, never)
    cancel.abort(new Error('given up'))
    await expect(left).rejects.toThrow('given up')
    first?.end()
    third?.end()
    expect(await Promise.all([running, last])).toEqual(['a', 'c'])
    expect(begun).toEqual(['a', 'c'])
  })
})

async function fail(): Promise<string> {
  throw new Error('No such work')
}
