import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aSecret } from '../testing/a-secret.ts'
import { makeRedactor } from './redactor.ts'

const value = 'ghp_R3al/Väl ue+of=the"secret&'
const redactor = makeRedactor([aSecret({ value })])
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const bytesOf = (text: string): string => Buffer.from(text).toString('latin1')

const written: Record<string, string> = {
  plain: value,
  'for a URL': encodeURIComponent(value),
  'for a form': new URLSearchParams({ a: value }).toString().slice(2),
  'with small percent escapes': encodeURIComponent(value).replace(/%../g, (x) => x.toLowerCase()),
  'for JSON': JSON.stringify(value).slice(1, -1),
  'for JSON, in ASCII': JSON.stringify(value)
    .slice(1, -1)
    .replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'for JSON, with slashes escaped': JSON.stringify(value).slice(1, -1).replaceAll('/', '\\/'),
  'for HTML': value.replaceAll('&', '&amp;').replaceAll('"', '&quot;'),
  'for HTML, with numbers': value.replaceAll('&', '&#38;').replaceAll('"', '&#x22;'),
  'in base64': base64(value),
  'in base64 for URLs': Buffer.from(value).toString('base64url'),
  'in base64 as basic credentials': base64(`a:${value}`),
  'in base64 after two bytes': base64(`ab${value}.`),
  'in hexadecimal': Buffer.from(value).toString('hex'),
}

describe('the value of a secret', () => {
  it.each(Object.entries(written))('%s is replaced', (_name, text) => {
    const redacted = redactor.redact(bytesOf(`x-${text}-y`))
    expect(redacted).toContain('[secret]')
    expect(redacted.length).toBeLessThan(24)
  })

  it('in parts, as a key of AWS has them, is replaced part by part', () => {
    const aws = makeRedactor([
      aSecret({ value: 'AKIDEXAMPLE:wJalrXUtnFEMI:session', places: ['sigv4'] }),
    ])
    expect(aws.redact('id AKIDEXAMPLE key wJalrXUtnFEMI token session')).toBe(
      'id [secret] key [secret] token [secret]',
    )
  })

  it('is replaced at its longest where one value begins another', () => {
    const both = makeRedactor([aSecret({ value: 'abcdefgh' }), aSecret({ value: 'abcdefghijkl' })])
    expect(both.redact('abcdefghijkl abcdefghij')).toBe('[secret] [secret]ij')
  })

  it('leaves all else as it is', () => {
    const text = 'HTTP, JSON {"a":"ghp_"} and \xff bytes'
    expect(redactor.redact(text)).toBe(text)
  })
})

describe('a stream', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(...Object.values(written)),
    fc.constantFrom(value.slice(0, -1), 'ghp_', base64(value).slice(0, 9), 'g%', '&am'),
  )

  it('loses the same however it is cut, and keeps the rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece),
        fc.array(fc.nat(30), { minLength: 1 }),
        async (pieces, sizes) => {
          const bytes = Buffer.from(pieces.join(''))
          const stream = redactor.stream()
          const read = buffer(stream)
          let at = 0
          for (let turn = 0; at < bytes.length; turn++) {
            const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
            if (!stream.write(bytes.subarray(at, at + size))) await once(stream, 'drain')
            at += size
          }
          stream.end()
          const out = (await read).toString('latin1')
          expect(out).toBe(redactor.redact(bytes.toString('latin1')))
          for (const text of Object.values(written)) expect(out).not.toContain(bytesOf(text))
        },
      ),
    )
  })

  it('is not kept back longer than a value may be in it', async () => {
    const stream = redactor.stream()
    stream.write('data: ghp_R3')
    expect(String(stream.read())).toBe('data: ')
    stream.write('x\n\n')
    expect(String(stream.read())).toBe('ghp_R3x\n\n')
  })
})
