import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AegisError } from '../kernel/aegis-error.ts'
import { Secret } from '../kernel/secret.ts'
import { formatKeySource, parseKeySource } from './key-source.ts'
import { checkSecretValue, maxSecretBytes, parseSecretFacts } from './parse-secret.ts'
import { type SecretPlace, secretPlaces } from './secret-vault.ts'

const github = { name: 'github', agents: ['coder'], hosts: ['api.github.com'] }

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof AegisError && error.code === 'secret.invalid') return error.message
    throw error
  }
  return ''
}

describe('the scope of a secret', () => {
  it('is read strictly, and stands everywhere but in a signature unless it says so', () => {
    expect(parseSecretFacts(github)).toEqual({
      ...github,
      places: ['header', 'bearer', 'basic', 'query'],
    })
    const hosts = ['API.GitHub.com:443', '*.github.com', '10.1.0.0/16', 'api.github.com:443']
    expect(parseSecretFacts({ ...github, agents: ['*'], hosts, places: ['sigv4'] })).toEqual({
      name: 'github',
      agents: ['*'],
      hosts: ['api.github.com:443', '*.github.com', '10.1.0.0/16'],
      places: ['sigv4'],
    })
  })

  it.each([
    ['no host', { hosts: [] }, /^hosts: It has 0 entries\. Use at least 1/],
    ['hosts that are not said', { hosts: undefined }, /^hosts: It is missing/],
    ['agents that are not said', { agents: undefined }, /^agents: It is missing/],
    ['no agent', { agents: [] }, /^agents: It has 0 entries/],
    ['every host', { hosts: ['*'] }, /^hosts\[0\]: "\*" has a \* where none can be/],
    [
      'every name of a top level',
      { hosts: ['*.com'] },
      /^hosts\[0\]: "\*\.com" would send it to who/,
    ],
    ['a URL', { hosts: ['https://api.github.com/x'] }, /Write the host alone: api\.github\.com/],
    ['a name that no agent has', { agents: ['Coder!'] }, /^agents\[0\]:/],
    ['a name that no secret has', { name: '../x' }, /^name: /],
    ['a place that there is not', { places: ['body'] }, /"body" is not known\. Use one of header/],
    ['a key that there is not', { scope: 1 }, /^scope: This key is not known/],
  ])('is refused with %s', (_, change, message) => {
    expect(refusal(() => parseSecretFacts({ ...github, ...change }))).toMatch(message)
  })
})

describe('the value of a secret', () => {
  const check = (text: string, places: readonly SecretPlace[]) =>
    refusal(() => checkSecretValue(new Secret(text), { places }))

  it('may be any text where it is encoded', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, unit: 'binary' }), (text) => {
        fc.pre(text.isWellFormed())
        expect(check(text, ['basic', 'query'])).toBe('')
      }),
    )
  })

  it('is refused in a header with what a header cannot carry, and never shown', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<SecretPlace>('header', 'bearer'),
        fc.string({ unit: 'binary', minLength: 8 }),
        (place, text) => {
          const message = check(text, [place, 'query'])
          const isPlain = /^[\t -~]+$/.test(text) && text === text.trim()
          expect(message === '').toBe(isPlain)
          if (message !== '') expect(message).not.toContain(text)
        },
      ),
    )
    expect(check('two lines\nof text', ['header'])).toBe(
      'value: It holds a line break or a character beyond ASCII, which no header can. Limit where it may stand to basic and query: --place basic --place query.',
    )
  })

  it.each([
    ['', /^value: It is empty/],
    ['short', /shorter than 8 bytes/],
    ['x'.repeat(maxSecretBytes + 1), /It has 65537 bytes\. Use at most 65536/],
    ['\ud800'.repeat(8), /not valid Unicode/],
  ])('is refused when it is empty, short, long or broken', (text, message) => {
    expect(check(text, ['query'])).toMatch(message)
  })

  it('is a key of AWS where it signs requests', () => {
    const [id, key] = ['AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY']
    expect(check(`${id}:${key}`, ['sigv4'])).toBe('')
    expect(check(`${id}:${key}:FwoGZXIvYXdzEXAMPLE==`, ['sigv4'])).toBe('')
    for (const text of [
      key,
      `${id}:`,
      `:${key}`,
      `${id}:${key}:`,
      `${id}:${key}:a b`,
      `${id} ${key}`,
    ]) {
      expect(check(text, ['sigv4'])).toMatch(/ID:SECRET/)
    }
  })
})

describe('the source of the key', () => {
  it('is read as it is written', () => {
    for (const text of ['file', 'env:AEGIS_KEY', 'passphrase:env:My_Passphrase']) {
      const source = parseKeySource(text)
      expect('message' in source ? source : formatKeySource(source)).toBe(text)
    }
  })

  it('is nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((name) => `env:${name}`),
        ),
        (text) => {
          const source = parseKeySource(text)
          expect('message' in source || formatKeySource(source) === text).toBe(true)
        },
      ),
    )
    for (const text of [
      '',
      'File',
      'env:',
      'env:1',
      'passphrase:x',
      'env:A B',
      `passphrase:file`,
    ]) {
      expect(parseKeySource(text)).toHaveProperty('remedy')
    }
  })

  it('names every place that there is', () => {
    expect(secretPlaces).toHaveLength(5)
  })
})
