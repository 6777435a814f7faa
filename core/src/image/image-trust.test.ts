import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Image, ImageSignature } from './image-store.ts'
import { makeImageTrust } from './image-trust.ts'
import { pinImage } from './pin-image.ts'
import { readSigningClaim } from './signing-claim.ts'

const never = new AbortController().signal
const hex = 'b'.repeat(64)
const digest = `python@sha256:${hex}`
const image = { reference: 'python:3.11', id: `sha256:${'a'.repeat(64)}`, digest }

const claim = (signed: string, reference = 'python'): ImageSignature => ({
  payload: new TextEncoder().encode(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': signed },
        type: 'cosign container image signature',
      },
      optional: {},
    }),
  ),
  signature: Uint8Array.of(1),
})

/** A registry with these signatures, and keys that know those with this first byte. */
function scene(...signatures: readonly ImageSignature[]) {
  const asked: string[] = []
  const store = {
    signatures: async (name: string) => {
      asked.push(name)
      return signatures
    },
  }
  const verifier = { isSigned: ({ signature }: ImageSignature) => signature[0] === 1 }
  return { asked, store, trust: makeImageTrust({ requireDigest: false, verifier }) }
}

describe('an image that must be signed', () => {
  it('is let in by one good signature among others, and asked about once', async () => {
    const bad = { ...claim(`sha256:${hex}`), signature: Uint8Array.of(2) }
    const { trust, store, asked } = scene(bad, claim(`sha256:${hex}`))
    await trust.check(store, image, never)
    await trust.check(store, image, never)
    expect(asked).toEqual([digest])
  })

  it.each([
    ['no signature', []],
    ['one by another key', [{ ...claim(`sha256:${hex}`), signature: Uint8Array.of(2) }]],
    ['one of another image', [claim(`sha256:${'c'.repeat(64)}`)]],
    ['one that names no image', [claim(`sha256:${hex}`, '')]],
    ['one of something else', [{ payload: Uint8Array.of(1), signature: Uint8Array.of(1) }]],
  ])('is refused with %s', async (_, signatures) => {
    const { trust, store } = scene(...signatures)
    await expect(trust.check(store, image, never)).rejects.toMatchObject({
      kind: 'denied',
      code: 'image.unsigned',
      message: expect.stringContaining(`cosign sign --key <key> ${digest}`),
    })
  })

  it('is refused when it was made on this host', async () => {
    const { trust, store, asked } = scene(claim(`sha256:${hex}`))
    const made = { reference: 'own:1', id: image.id }
    await expect(trust.check(store, made, never)).rejects.toMatchObject({ code: 'image.unsigned' })
    expect(asked).toEqual([])
  })

  it('is refused while nobody can tell, with the reason', async () => {
    const { trust } = scene()
    const store = {
      signatures: async () => {
        throw new AegisError('unavailable', 'image.network', 'ghcr.io cannot be reached.')
      },
    }
    await expect(trust.check(store, image, never)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'image.network',
      message: `It cannot be found out whether ${digest} is signed, so it does not run: ghcr.io cannot be reached.`,
    })
  })
})

describe('an image that must be named by digest', () => {
  const trust = makeImageTrust({ requireDigest: true, verifier: undefined })
  const found = { id: image.id, references: [image.reference], digests: [digest] }
  const host = { find: async () => ({ ...found, sizeBytes: 1, createdAt: '', pulled: true }) }

  it('is refused by a tag, with the digest that it has on this host', async () => {
    await expect(trust.checkName(host, 'python:3.11', never)).rejects.toMatchObject({
      kind: 'denied',
      code: 'image.digest-required',
      message: expect.stringContaining(`python:3.11 means on this host now is ${digest}`),
    })
    const nothing = { find: async () => undefined }
    await expect(trust.checkName(nothing, 'ghcr.io/a/b:1', never)).rejects.toMatchObject({
      message: expect.stringContaining('Write it as ghcr.io/a/b@sha256:…'),
    })
    await trust.checkName(nothing, digest, never)
  })

  it('does not run by a tag either, whenever it was deployed', async () => {
    const store = { signatures: async () => [] }
    await expect(trust.check(store, image, never)).rejects.toMatchObject({
      code: 'image.digest-required',
    })
    await trust.check(store, { ...image, reference: digest }, never)
  })

  it('is pinned to that digest, also where the host knows it by others', async () => {
    const other = `python@sha256:${'d'.repeat(64)}`
    const both: Image = { ...(await host.find()), digests: [other, digest] }
    const store = { find: async () => both, pull: async () => both }
    const options = { policy: 'IfNotPresent', onProgress: () => undefined } as const
    expect(await pinImage(store, digest, options, never)).toMatchObject({ digest })
    expect(await pinImage(store, 'python:3', options, never)).toMatchObject({ digest: other })
  })
})

it('reads nothing but a claim out of any bytes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        expect(readSigningClaim(bytes)).toBeUndefined()
      },
    ),
  )
  expect(readSigningClaim(claim(`sha256:${hex}`).payload)).toEqual({
    digest: `sha256:${hex}`,
    reference: 'python',
  })
})
