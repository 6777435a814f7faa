import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makePlaceholderScanner, PlaceholderLeak } from './placeholder-scanner.ts'
import { aSecret } from './testing/a-secret.ts'

const github = aSecret({
  name: 'github',
  placeholder: `aegis-secret-${'0123456789abcdef'.repeat(2)}`,
})
const stripe = aSecret({
  name: 'stripe',
  placeholder: `aegis-secret-${'fedcba9876543210'.repeat(2)}`,
})
const scanner = makePlaceholderScanner([github, stripe])

const written: Record<string, (text: string) => string> = {
  plain: (text) => text,
  'in capitals': (text) => text.toUpperCase(),
  'in percent escapes': (text) => text.replace(/./g, (c) => `%${hex(c)}`),
  'in capital percent escapes': (text) => text.replace(/./g, (c) => `%${hex(c).toUpperCase()}`),
  'in percent escapes here and there': (text) => text.replace(/[aegis]/g, (c) => `%${hex(c)}`),
  'in escapes of JSON': (text) => text.replace(/./g, (c) => `\\u00${hex(c)}`),
  'in escapes of HTML': (text) => text.replaceAll('-', '&#45;'),
  'in base64': (text) => base64(text),
  'in base64 after one byte': (text) => base64(`x${text}`),
  'in base64 after two bytes': (text) => base64(`xy${text}`),
  'in base64 before more': (text) => base64(`user:${text}:more`),
  'in base64 for URLs': (text) => Buffer.from(`user?${text}`).toString('base64url'),
  'in hexadecimal': (text) => Buffer.from(text).toString('hex'),
}

describe('a placeholder', () => {
  it.each(Object.entries(written))('%s is seen, and told from another', (_name, write) => {
    expect(scanner.find(`before ${write(github.placeholder)} after`)?.name).toBe('github')
    expect(scanner.find(`before ${write(stripe.placeholder)} after`)?.name).toBe('stripe')
  })

  it('of nobody, or cut short, is none', () => {
    expect(scanner.find(`aegis-secret-${'0'.repeat(32)}`)).toBeUndefined()
    expect(scanner.find(github.placeholder.slice(0, -1))).toBeUndefined()
    expect(scanner.find('')).toBeUndefined()
  })
})

describe('a stream', () => {
  const anyForm = fc.constantFrom(...Object.values(written))
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'aegis-secret-',
      'aegis-',
      github.placeholder.slice(0, -1),
      'YWVnaXMtc2Vjcm',
      '%61e',
    ),
  )
  const cuts = fc.array(fc.nat(40), { minLength: 1 })

  it('passes unchanged and without delay, however it is cut, when there is no placeholder in it', () => {
    fc.assert(
      fc.property(fc.array(piece), cuts, (pieces, sizes) => {
        const bytes = Buffer.from(pieces.join(' '))
        fc.pre(scanner.find(bytes) === undefined)
        expect(Buffer.concat(read(chunksOf(bytes, sizes)).out)).toEqual(bytes)
      }),
    )
  })

  it('lets no digit of a placeholder pass, however it is cut', () => {
    fc.assert(
      fc.property(piece, anyForm, piece, cuts, (before, write, after, sizes) => {
        const text = `${before} ${write(github.placeholder)} ${after}`
        const { out, leak } = read(chunksOf(Buffer.from(text), sizes))
        expect(leak?.secret.name).toBe('github')
        const passed = Buffer.concat(out).toString()
        // At most the part that all placeholders share, and what came before.
        const shared = write('aegis-secret-').length
        expect(Buffer.byteLength(passed)).toBeLessThanOrEqual(
          Buffer.byteLength(before) + 1 + shared,
        )
      }),
    )
  })

  it('stalls no conversation: what looks like the first letters goes on at once', () => {
    const guard = scanner.guard()
    for (const text of ['a', 'ping a', 'aegis', ' aegis-secret']) {
      expect(guard.push(Buffer.from(text)).toString()).toBe(text)
    }
  })

  it('ends with an error that names the secret and not the placeholder', async () => {
    const stream = scanner.stream()
    stream.end(`x ${github.placeholder}`)
    const failure = await buffer(stream).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(PlaceholderLeak)
    expect(String(failure)).toContain('"github"')
    expect(String(failure)).not.toContain(github.placeholder)
  })
})

function read(chunks: readonly Buffer[]): { out: Buffer[]; leak?: PlaceholderLeak } {
  const guard = scanner.guard()
  const out: Buffer[] = []
  try {
    for (const chunk of chunks) out.push(guard.push(chunk))
    out.push(guard.push(Buffer.alloc(0), true))
    return { out }
  } catch (error) {
    if (error instanceof PlaceholderLeak) return { out, leak: error }
    throw error
  }
}

function chunksOf(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (let turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

const hex = (character: string): string => character.charCodeAt(0).toString(16)
const base64 = (text: string): string => Buffer.from(text).toString('base64')
