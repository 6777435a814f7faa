import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aManifest } from '../testing/a-manifest.ts'
import { imageReferenceOf, parseImageReference } from './image-reference.ts'

const digest = `sha256:${'a1'.repeat(32)}`

describe('the name of an image', () => {
  it.each([
    'python',
    'python:3.11',
    'library/python:3.11-slim',
    'ghcr.io/acme/my-agent_2:1.2',
    'localhost:5000/agent:latest',
    'Registry.Example:5000/agent',
    `python@${digest}`,
    `ghcr.io/acme/agent:1.2@${digest}`,
  ])('may be %s', (text) => {
    expect(parseImageReference(text)).toBe(text)
  })

  it.each([
    '',
    'Python:3.11',
    ' python',
    'python:',
    'python:3.11 --privileged',
    '-v',
    '../python',
    'a//b',
    '/python',
    'python@sha256:12',
    'http://ghcr.io/python',
    'python\n',
    `${'x'.repeat(256)}`,
  ])('is never %j', (text) => {
    const invalid = { kind: 'invalid', code: 'image.reference' }
    expect(() => parseImageReference(text)).toThrow(expect.objectContaining(invalid))
  })

  it('is refused or kept as it is, at once, whatever the text', () => {
    const parts = fc.constantFrom('a', 'A', '0', '.', '-', '_', '/', ':', '@', 'sha256:', ' ')
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(parts, { maxLength: 300 }).map((some) => some.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(parseImageReference(text)).toBe(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'image.reference' })
        }
      }),
    )
  })
})

describe('the image that a manifest asks for', () => {
  const of = (language: string, version: string, image?: string) =>
    imageReferenceOf(
      aManifest('echo', { runtime: { language, version, ...(image && { image }) } }),
      { python: 'acme/python:{version}-{version}' },
    )

  it.each([
    ['javascript', '24', 'node:24'],
    ['TypeScript', '24', 'node:24'],
    ['go', '1.24', 'golang:1.24'],
    ['ruby', '3.4', 'ruby:3.4'],
    ['Python', '3.11', 'acme/python:3.11-3.11'],
    ['tostring', '1', 'tostring:1'],
    ['valueof', '1', 'valueof:1'],
  ])('for %s %s is %s', (language, version, reference) => {
    expect(of(language, version)).toBe(reference)
  })

  it('is the one that it names itself, whatever its language', () => {
    expect(of('python', '3.11', 'ghcr.io/acme/agent:1')).toBe('ghcr.io/acme/agent:1')
  })

  it('takes nothing of a language or a version for more than text', () => {
    const table = {}
    const asked = (language: string, version: string) =>
      imageReferenceOf(aManifest('echo', { runtime: { language, version } }), table)
    expect(asked('constructor', '1')).toBe('constructor:1')
    expect(() => asked('__proto__', '1')).toThrow('cannot be the name of an image')
    expect(() => asked('python', '$&')).toThrow('cannot be the name of an image')
    expect(() => asked('python', '3.11@evil')).toThrow('cannot be the name of an image')
  })
})
