import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordConsole } from './console-recorder.ts'
import type { ExecutionEvent } from './execution-event.ts'

const signal = new AbortController().signal

async function* each(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk
}

async function record(chunks: readonly Uint8Array[], keepCharacters = 1e6) {
  const texts: string[] = []
  const recorder = recordConsole({
    chunks: each(chunks),
    stream: 'stdout',
    iteration: 1,
    keepCharacters,
    note: async (event: ExecutionEvent) => {
      if (event.type === 'execution.console') texts.push(event.text)
    },
    clock: {
      now: () => '2026-01-01T00:00:00.000Z',
      monotonicMs: () => 0,
      sleep: (ms, until) => delay(ms, undefined, { signal: until }),
    },
    signal,
  })
  await recorder.finished
  return { texts, output: recorder.text() }
}

const bytes = (text: string) => new TextEncoder().encode(text)

describe('the console of an execution', () => {
  it('keeps every character of UTF-8, wherever the chunks were cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.nat(20), { maxLength: 20 }),
        async (text, cuts) => {
          const all = bytes(text)
          const chunks: Uint8Array[] = []
          let from = 0
          for (const cut of cuts) {
            chunks.push(all.subarray(from, from + cut))
            from += cut
          }
          chunks.push(all.subarray(from))
          const { texts, output } = await record(chunks)
          expect(texts.join('')).toBe(text)
          expect(output).toBe(text)
        },
      ),
    )
  })

  it('replaces what is not UTF-8 rather than failing', async () => {
    const { output } = await record([Uint8Array.of(0x61, 0xff, 0x62, 0xe2, 0x82)])
    expect(output).toBe('a\ufffdb\ufffd')
  })

  it('cuts its events to a size, and the output with a note that says how long it was', async () => {
    const { texts, output } = await record([bytes('x'.repeat(50_000))], 10)
    expect(texts.join('')).toHaveLength(50_000)
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThanOrEqual(16 * 1024)
    expect(output).toMatch(/^x{10}\n\[cut here: 50000 characters/)
  })

  it('gathers what arrives while an event is being stored', async () => {
    const { texts } = await record(Array.from({ length: 1000 }, () => bytes('x')))
    expect(texts.join('')).toHaveLength(1000)
    expect(texts.length).toBeLessThan(500)
  })
})
