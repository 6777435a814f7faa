import { randomBytes } from 'node:crypto'
import { type KeptSecret, Secret, secretPlaces } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seal, tagOf, unseal } from './sealed-box.ts'
import { aSecret } from './testing/open-test-vault.ts'
import { emptyContent, readContent, withSecret, writeContent } from './vault-content.ts'
import { formatVaultFile, keyContext, parseVaultFile, type VaultFile } from './vault-file.ts'

const dataKey = randomBytes(32)
const masterKey = randomBytes(32)
const description = { kind: 'file', id: '0123456789abcdef' } as const
const wrapped = seal(masterKey, dataKey, keyContext(description)).toString('base64')

const fileOf = (secrets: readonly KeptSecret[]): VaultFile =>
  writeContent(
    { ...description, wrapped },
    dataKey,
    secrets.reduce((content, kept) => withSecret(content, dataKey, kept), emptyContent),
  )

/** What a reader with the right master key makes of a text: the intact secrets, or nothing at all. */
function readBack(text: string) {
  const file = parseVaultFile(text)
  if (file === undefined) return undefined
  const { wrapped: sealed, ...described } = file.key
  const key = unseal(masterKey, Buffer.from(sealed, 'base64'), keyContext(described))
  return key && readContent(key, file)
}

const two = fileOf([
  aSecret('github'),
  aSecret('stripe', { agents: ['payer'], hosts: ['stripe.com'] }),
])

describe('a sealed box', () => {
  it('opens with its key and context alone, and not with a changed byte', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.string(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, context, at, change) => {
          const plain = Buffer.from(bytes)
          const sealed = seal(dataKey, plain, context)
          expect(unseal(dataKey, sealed, context)).toEqual(plain)
          expect(unseal(dataKey, sealed, `${context} `)).toBeUndefined()
          expect(unseal(masterKey, sealed, context)).toBeUndefined()
          const index = at % sealed.length
          sealed[index] = (sealed[index] ?? 0) ^ change
          expect(unseal(dataKey, sealed, context)).toBeUndefined()
          expect(unseal(dataKey, sealed.subarray(0, index), context)).toBeUndefined()
        },
      ),
    )
  })

  it('is another one each time', () => {
    const tags = Array.from({ length: 100 }, () => tagOf(seal(dataKey, Buffer.from('x'), 'y')))
    expect(new Set(tags).size).toBe(100)
  })
})

describe('the file of a vault', () => {
  it('gives back what was put in, whatever its values and its scope are', () => {
    const texts = fc.array(fc.string({ maxLength: 40 }), { maxLength: 5 })
    const anySecret = fc.record({
      name: fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/),
      agents: texts,
      hosts: texts,
      places: fc.subarray([...secretPlaces]),
      createdAt: fc.string({ maxLength: 30 }),
      updatedAt: fc.string({ maxLength: 30 }),
      value: fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
    })
    const anySecrets = fc.uniqueArray(anySecret, { selector: ({ name }) => name, maxLength: 6 })
    fc.assert(
      fc.property(anySecrets, (secrets) => {
        const kept = secrets.map((one) => ({ ...one, value: new Secret(one.value) }))
        const content = readBack(formatVaultFile(fileOf(kept)))
        expect(content?.secrets.size).toBe(secrets.length)
        for (const { value, ...facts } of secrets) {
          const found = content?.secrets.get(facts.name)?.kept
          expect(found).toMatchObject(facts)
          expect(found?.value.reveal()).toBe(value)
        }
      }),
    )
  })

  it('shows each change of any byte of it', () => {
    const bytes = Buffer.from(formatVaultFile(two))
    fc.assert(
      fc.property(
        fc.nat({ max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (index, change) => {
          const changed = Buffer.from(bytes)
          changed[index] = (changed[index] ?? 0) ^ change
          expect(isWhole(changed.toString())).toBe(false)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('shows bytes that were added or cut off', () => {
    const text = formatVaultFile(two)
    expect(isWhole(text)).toBe(true)
    fc.assert(
      fc.property(fc.nat({ max: text.length }), fc.string({ minLength: 1 }), (at, more) => {
        expect(isWhole(text.slice(0, at) + more + text.slice(at))).toBe(false)
        if (at < text.length) expect(isWhole(text.slice(0, at))).toBe(false)
      }),
    )
  })

  const [github, stripe] = two.secrets as [VaultFile['secrets'][0], VaultFile['secrets'][0]]
  it.each([
    ['agents', { ...github, agents: ['*'] }],
    ['hosts', { ...github, hosts: ['evil.example'] }],
    ['places', { ...github, places: ['query'] }],
    ['dates', { ...github, updated_at: '2027-01-01T00:00:00.000Z' }],
    ['value, by that of another secret', { ...github, value: stripe.value }],
    ['entry, by an earlier one', fileOf([aSecret('github')]).secrets[0]],
  ] satisfies [
    string,
    VaultFile['secrets'][0] | undefined,
  ][])('names the secret where somebody replaced its %s', (_, entry) => {
    const content = readBack(formatVaultFile({ ...two, secrets: [entry ?? github, stripe] }))
    expect(content?.secrets.get('github')?.kept).toBeUndefined()
    expect(content?.secrets.get('stripe')?.kept).toBeDefined()
  })

  it('knows a secret that was removed, added, or is there twice', () => {
    const without = readBack(formatVaultFile({ ...two, secrets: [stripe] }))
    expect([...(without?.index.keys() ?? [])]).toEqual(['github', 'stripe'])
    const index = fileOf([aSecret('stripe')]).index
    const added = readBack(formatVaultFile({ ...two, index }))
    expect(added?.secrets.get('github')?.kept).toBeUndefined()
    const twice = readBack(formatVaultFile({ ...two, secrets: [github, github, stripe] }))
    expect(twice?.secrets.get('github')?.kept).toBeUndefined()
  })

  it('is refused where its key is described otherwise', () => {
    for (const key of [
      { ...two.key, kind: 'env' as const },
      { ...two.key, id: '0123456789abcdee' },
    ]) {
      expect(readBack(formatVaultFile({ ...two, key }))).toBeUndefined()
    }
  })

  it('is refused where it asks for more memory than a key is worth', () => {
    const key = { ...two.key, kind: 'passphrase' as const }
    const cost = { n: 2 ** 17, r: 8, p: 1, salt: 'AAAAAAAAAAAAAAAAAAAAAA==' }
    const { wrapped: sealed, ...described } = key
    const isTaken = (scrypt: typeof cost) =>
      parseVaultFile(
        formatVaultFile({ ...two, key: { ...described, scrypt, wrapped: sealed } }),
      ) !== undefined
    expect(isTaken(cost)).toBe(true)
    for (const scrypt of [
      { ...cost, n: 2 ** 30 },
      { ...cost, n: 2 ** 10 },
      { ...cost, n: 100_000 },
      { ...cost, r: 1_024 },
      { ...cost, p: 1_000 },
    ]) {
      expect(isTaken(scrypt)).toBe(false)
    }
  })
})

function isWhole(text: string): boolean {
  const content = readBack(text)
  if (content === undefined || content.index.size !== content.secrets.size) return false
  return [...content.secrets.values()].every(({ kept }) => kept !== undefined)
}
