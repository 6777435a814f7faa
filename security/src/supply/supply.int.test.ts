import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSignedManifest, requireSignature } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeSigningKey, signManifest } from './manifest-signing.ts'
import { openImageKeys } from './open-image-keys.ts'
import { openManifestKeys } from './open-manifest-keys.ts'
import { cosignSign, makeCosignKey } from './testing/cosign.ts'

async function openFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'aegis-supply-'))
  return {
    folder,
    async write(name: string, text: string) {
      await writeFile(join(folder, name), text)
      return join(folder, name)
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

const digest = `sha256:${'a'.repeat(64)}`

describe('the keys of images', () => {
  it.each([
    'ecdsa',
    'ed25519',
  ] as const)('know what a key of %s signed, and no changed byte of it', async (kind) => {
    await using scene = await openFolder()
    const [own, other] = [makeCosignKey(kind), makeCosignKey(kind)]
    const verifier = await openImageKeys([await scene.write('cosign.pub', own.pem)])
    const made = cosignSign(own.privateKey, digest)
    expect(verifier?.isSigned(made)).toBe(true)
    expect(verifier?.isSigned(cosignSign(other.privateKey, digest))).toBe(false)
    fc.assert(
      fc.property(
        fc.constantFrom('payload', 'signature'),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (part, at, change) => {
          const bytes = Buffer.from(made[part])
          const index = at % bytes.length
          bytes[index] = (bytes[index] ?? 0) ^ change
          expect(verifier?.isSigned({ ...made, [part]: bytes })).toBe(false)
        },
      ),
    )
    expect(verifier?.isSigned({ ...made, signature: randomBytes(3) })).toBe(false)
    expect(verifier?.isSigned({ ...made, signature: Buffer.alloc(0) })).toBe(false)
  })

  it('are each as good as the other', async () => {
    await using scene = await openFolder()
    const [a, b] = [makeCosignKey(), makeCosignKey('ed25519')]
    const verifier = await openImageKeys([
      await scene.write('a.pub', a.pem),
      await scene.write('b.pub', b.pem),
    ])
    expect(verifier?.isSigned(cosignSign(b.privateKey, digest))).toBe(true)
  })

  it('are none where the config names none', async () => {
    expect(await openImageKeys([])).toBeUndefined()
  })

  it('are refused when they are private, of another kind, or no keys', async () => {
    await using scene = await openFolder()
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
    const pem = (key: typeof rsa.publicKey) =>
      key.export({ format: 'pem', type: 'spki' }).toString()
    const { privateKey } = makeCosignKey()
    for (const text of [
      pem(rsa.publicKey),
      pem(p384.publicKey),
      privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
      'no key',
    ]) {
      const path = await scene.write('cosign.pub', text)
      await expect(openImageKeys([path])).rejects.toMatchObject({ code: 'supply.image-key' })
    }
    await expect(openImageKeys([join(scene.folder, 'absent')])).rejects.toThrow('cannot be read')
  })
})

describe('a signed manifest', () => {
  const manifest = aManifest('echo', { version: '1.2.3' })

  it('is one that the verifier key of its signer knows, and nobody else', async () => {
    await using scene = await openFolder()
    const [path, other] = [join(scene.folder, 'a.key'), join(scene.folder, 'b.key')]
    const own = openManifestKeys([await makeSigningKey('acme/release', path)])
    const theirs = openManifestKeys([await makeSigningKey('acme/release', other)])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const note = await signManifest(manifest, path)
    expect(note).toMatch(/^\{.*\}\n\n— acme\/release [A-Za-z0-9+/=]+\n$/)
    expect(readSignedManifest(note)).toEqual(manifest)
    expect(() => requireSignature(own, manifest, note)).not.toThrow()
    expect(() => requireSignature(undefined, manifest, undefined)).not.toThrow()
    expect(() => requireSignature(theirs, manifest, note)).toThrow('signed by no key')
    expect(() => requireSignature(own, manifest, undefined)).toThrow('is not signed')
    const another = aManifest('echo', { version: '1.2.4' })
    expect(() => requireSignature(own, another, note)).toThrow('of another one')
  })

  it('counts for no changed byte', async () => {
    await using scene = await openFolder()
    const path = join(scene.folder, 'a.key')
    const verifier = openManifestKeys([await makeSigningKey('acme', path)])
    const note = await signManifest(manifest, path)
    fc.assert(
      fc.property(
        fc.nat({ max: note.length - 1 }),
        fc.string({ minLength: 1, maxLength: 1 }),
        (at, character) => {
          const changed = note.slice(0, at) + character + note.slice(at + 1)
          fc.pre(changed !== note)
          expect(() => requireSignature(verifier, manifest, changed)).toThrow()
        },
      ),
    )
  })

  it('is made by a key that is never written over', async () => {
    await using scene = await openFolder()
    const path = join(scene.folder, 'a.key')
    await makeSigningKey('acme', path)
    const before = await readFile(path, 'utf8')
    await expect(makeSigningKey('acme', path)).rejects.toMatchObject({ code: 'signing.key-exists' })
    expect(await readFile(path, 'utf8')).toBe(before)
    await expect(makeSigningKey('a b', `${path}2`)).rejects.toMatchObject({
      code: 'signing.key-name',
    })
    const broken = await scene.write('broken.key', 'no key')
    await expect(signManifest(manifest, broken)).rejects.toMatchObject({ code: 'signing.key-file' })
  })

  it('needs verifier keys that are some', () => {
    expect(openManifestKeys([])).toBeUndefined()
    expect(() => openManifestKeys(['acme+00000000+AAAA'])).toThrow('aegis agent keygen')
  })
})
