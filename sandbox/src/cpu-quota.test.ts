import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cpuQuota } from './cpu-quota.ts'

it('keeps the share exact and within what the kernel accepts', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 256_000 }), (millicores) => {
      const { quotaUs, periodUs } = cpuQuota(millicores)
      expect(quotaUs).toBeGreaterThanOrEqual(1000)
      expect(periodUs).toBeLessThanOrEqual(1_000_000)
      expect((quotaUs / periodUs) * 1000).toBeCloseTo(millicores, 6)
    }),
  )
})
