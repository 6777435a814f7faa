import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addSample, type DownloadSample, rateOf } from './download-rate.ts'

const samplesOf = (samples: readonly DownloadSample[]) =>
  samples.reduce<readonly DownloadSample[]>(addSample, [])

describe('the rate of a download', () => {
  it('is what arrived over the time it took', () => {
    const samples = samplesOf([
      { atMs: 0, bytes: 0 },
      { atMs: 500, bytes: 1000 },
      { atMs: 2000, bytes: 8000 },
    ])
    expect(rateOf(samples)).toBe(4000)
  })

  it('is not known from one sample, nor from two at once', () => {
    expect(rateOf([])).toBeUndefined()
    expect(rateOf(samplesOf([{ atMs: 5, bytes: 7 }]))).toBeUndefined()
    expect(rateOf(samplesOf(Array(3).fill({ atMs: 5, bytes: 7 })))).toBeUndefined()
  })

  it('forgets how fast it once was', () => {
    const samples = samplesOf([
      { atMs: 0, bytes: 0 },
      { atMs: 1000, bytes: 9_000_000 },
      { atMs: 8000, bytes: 9_000_000 },
      { atMs: 9000, bytes: 9_001_000 },
    ])
    expect(rateOf(samples)).toBe(1000)
  })

  it('begins anew when the download does', () => {
    const again = samplesOf([
      { atMs: 0, bytes: 5000 },
      { atMs: 1000, bytes: 0 },
    ])
    expect(again).toEqual([{ atMs: 1000, bytes: 0 }])
  })

  it('is never negative and never endless, whatever the clock and the engine say', () => {
    const sample = fc.record({ atMs: fc.nat(20_000), bytes: fc.nat() })
    fc.assert(
      fc.property(fc.array(sample), (all) => {
        const rate = rateOf(samplesOf(all)) ?? 0
        expect(rate).toBeGreaterThanOrEqual(0)
        expect(Number.isFinite(rate)).toBe(true)
      }),
    )
  })
})
