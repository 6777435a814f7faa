import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DATA_COST_MIN } from './limits.ts'
import { SendStream } from './send-stream.ts'

const steps = fc.array(
  fc.oneof(
    fc.record({ lent: fc.uint8Array({ minLength: 1, maxLength: 600 }) }),
    fc.record({ given: fc.uint8Array({ minLength: 1, maxLength: 600 }) }),
    fc.constant('grant' as const),
  ),
  { maxLength: 40 },
)

it('sends lent and given bytes in the order in which they came, no more than the window allows', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const window = 2048
      const sent: Buffer[] = []
      let used = 0
      const stream = new SendStream(window, (payload) => {
        used += Math.max(payload.length, DATA_COST_MIN)
        sent.push(Buffer.from(payload))
      })
      const expected: Buffer[] = []
      const grantAll = () => {
        const credit = used
        used = 0
        if (credit > 0) stream.grant(credit)
      }
      for (const step of all) {
        if (step === 'grant') grantAll()
        else if ('given' in step) {
          void stream.write(step.given)
          expected.push(Buffer.from(step.given))
        } else {
          const bytes = Buffer.from(step.lent)
          const went = stream.sendNow(bytes)
          expected.push(Buffer.from(step.lent.subarray(0, went)))
          bytes.fill(0)
        }
        expect(used).toBeLessThanOrEqual(window)
      }
      while (used > 0) grantAll()
      expect(Buffer.concat(sent)).toEqual(Buffer.concat(expected))
    }),
  )
})
