import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makePlaceholderScanner, PlaceholderLeak } from '../placeholder-scanner.ts'
import { aSecret } from '../testing/a-secret.ts'
import { watchFrames } from './websocket-frames.ts'

const secret = aSecret()
const scanner = makePlaceholderScanner([secret])
const watch = () => watchFrames(scanner.guard(), scanner.guard())

interface Frame {
  readonly opcode: number
  readonly last: boolean
  readonly mask: readonly number[] | undefined
  readonly payload: string
}

const anyFrame = (payload: fc.Arbitrary<string>): fc.Arbitrary<Frame> =>
  fc.record({
    opcode: fc.constantFrom(0, 1, 2),
    last: fc.boolean(),
    mask: fc.option(fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }), { nil: undefined }),
    payload,
  })

/** RFC 6455, 5.2. */
function encode({ opcode, last, mask, payload }: Frame): Buffer {
  const bytes = Buffer.from(payload)
  const length = bytes.length
  const size =
    length < 126
      ? [length]
      : length < 65536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255]
  const [first = 0, ...more] = size
  const head = [(last ? 0x80 : 0) | opcode, first | (mask ? 0x80 : 0), ...more, ...(mask ?? [])]
  const masked = bytes.map((byte, at) => byte ^ (mask?.[at % 4] ?? 0))
  return Buffer.concat([Buffer.from(head), masked])
}

async function pass(bytes: Buffer, sizes: readonly number[]): Promise<Buffer> {
  const stream = watch()
  const out = buffer(stream)
  let at = 0
  for (let turn = 0; at < bytes.length && !stream.destroyed; turn++) {
    const size = 1 + (sizes[turn % sizes.length] ?? 0)
    stream.write(bytes.subarray(at, at + size))
    at += size
  }
  stream.end()
  return out
}

const cuts = fc.array(fc.nat(300), { minLength: 1 })

describe('frames of a websocket', () => {
  it('pass unchanged, however they are cut and masked', async () => {
    const payload = fc.oneof(
      fc.string(),
      fc.constant('x'.repeat(200)),
      fc.constant('y'.repeat(70_000)),
      fc.constant('aegis-secret-'),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame(payload)), cuts, async (frames, sizes) => {
        const bytes = Buffer.concat(frames.map(encode))
        expect(await pass(bytes, sizes)).toEqual(bytes)
      }),
      { numRuns: 50 },
    )
  })

  it('carry no placeholder, however it is cut into frames and masked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(44),
        anyFrame(fc.constant('')),
        anyFrame(fc.constant('')),
        cuts,
        async (cut, one, two, sizes) => {
          const ping = encode({ opcode: 9, last: true, mask: undefined, payload: 'ping' })
          const bytes = Buffer.concat([
            encode({ ...one, payload: `x${secret.placeholder.slice(0, cut)}` }),
            ping,
            encode({ ...two, payload: secret.placeholder.slice(cut) }),
          ])
          await expect(pass(bytes, sizes)).rejects.toBeInstanceOf(PlaceholderLeak)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('carry none in a ping either', async () => {
    const ping = encode({ opcode: 9, last: true, mask: [1, 2, 3, 4], payload: secret.placeholder })
    await expect(pass(ping, [7])).rejects.toBeInstanceOf(PlaceholderLeak)
  })

  it('do not gather without end behind what is kept back', async () => {
    const begun = {
      opcode: 1,
      last: false,
      mask: undefined,
      payload: secret.placeholder.slice(0, -1),
    }
    const pings = Buffer.concat(
      Array.from({ length: 1100 }, () =>
        encode({ opcode: 9, last: true, mask: undefined, payload: '' }),
      ),
    )
    await expect(pass(Buffer.concat([encode(begun), pings]), [999])).rejects.toMatchObject({
      code: 'egress.websocket',
    })
    const large = encode({ opcode: 9, last: true, mask: undefined, payload: 'x'.repeat(1_100_000) })
    await expect(pass(Buffer.concat([encode(begun), large]), [60_000])).rejects.toMatchObject({
      code: 'egress.websocket',
    })
  })

  it('are not packed, since nobody agreed to that', async () => {
    await expect(pass(Buffer.from([0xc1, 0]), [5])).rejects.toMatchObject({
      code: 'egress.websocket',
    })
  })

  it('do not wait for the next ones', () => {
    const stream = watch()
    const frame = encode({ opcode: 1, last: true, mask: [9, 9, 9, 9], payload: 'ping a' })
    stream.write(frame)
    expect(stream.read()).toEqual(frame)
  })
})
