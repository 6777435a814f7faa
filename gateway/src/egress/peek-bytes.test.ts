import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Peeked, peekBytes } from './peek-bytes.ts'

const toLineEnd = (bytes: Buffer): string | undefined =>
  bytes.includes(10) ? bytes.toString().split('\n')[0] : undefined

describe('the first bytes of a stream', () => {
  it('are put back for the next reader, however they came', async () => {
    const chunks = fc.array(fc.string({ minLength: 1, maxLength: 5 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(chunks, async (parts) => {
        const [client, stream] = duplexPair()
        const said = [...parts, '\n', 'rest']
        const peeking = peekBytes(stream, toLineEnd, { toldMs: 1000 })
        for (const part of said) client.write(part)
        const peeked = await peeking
        client.end()
        expect(peeked).toEqual({ kind: 'told', told: said.join('').split('\n')[0] })
        expect(await text(stream)).toBe(said.join(''))
      }),
    )
  })

  it('are nothing when the stream ends or is destroyed first', async () => {
    const [ending, ended] = duplexPair()
    ending.end()
    expect(await peekBytes(ended, toLineEnd, { toldMs: 1000 })).toEqual({ kind: 'ended' })

    const [, destroyed] = duplexPair()
    const peeking = peekBytes(destroyed, toLineEnd, { toldMs: 1000 })
    destroyed.destroy()
    expect(await peeking).toEqual({ kind: 'closed' })
    expect(await peekBytes(destroyed, toLineEnd, { toldMs: 1000 })).toEqual({ kind: 'closed' })
  })

  it('that end before they tell anything are undecided', async () => {
    const [client, stream] = duplexPair()
    client.end('half a line')
    expect(await peekBytes(stream, toLineEnd, { toldMs: 1000 })).toEqual({ kind: 'undecided' })
  })
})

describe('the time for the first bytes', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  const settled = async <Told>(peeking: Promise<Peeked<Told>>) => {
    let outcome: Peeked<Told> | undefined
    void peeking.then((peeked) => {
      outcome = peeked
    })
    return { outcome: () => outcome }
  }

  it('is up for a client that says nothing', async () => {
    const [, stream] = duplexPair()
    const peeking = peekBytes(stream, toLineEnd, { firstMs: 200, toldMs: 1000 })
    vi.advanceTimersByTime(200)
    expect(await peeking).toEqual({ kind: 'silent' })
  })

  it('is up for a client that sends byte after byte and comes to no end', async () => {
    const [client, stream] = duplexPair()
    const peeking = peekBytes(stream, toLineEnd, { firstMs: 200, toldMs: 1000 })
    for (let second = 0; second < 12; second += 1) {
      client.write('x')
      await new Promise((resolve) => setImmediate(resolve))
      vi.advanceTimersByTime(100)
    }
    expect(await peeking).toEqual({ kind: 'undecided' })
  })

  it('has no end before the first byte, where none is set', async () => {
    const [, stream] = duplexPair()
    const { outcome } = await settled(peekBytes(stream, toLineEnd, { toldMs: 1000 }))
    vi.advanceTimersByTime(3_600_000)
    expect(outcome()).toBeUndefined()
    stream.destroy()
  })
})
