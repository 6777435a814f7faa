import { createPrivateKey, hash, sign, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../kernel/canonical-json.ts'
import type { AuditEntry } from './audit-entry.ts'
import { openCheckpoint, signCheckpoint } from './checkpoint.ts'
import { encodeEntry, maxEntryBytes } from './encode-entry.ts'
import { formatBundle, readBundle } from './entry-bundle.ts'
import { readEntry } from './read-entry.ts'
import {
  formatVerifierKey,
  makeNoteKey,
  type NoteSigner,
  openNote,
  parseVerifierKey,
  signNote,
} from './signed-note.ts'
import { tileAt, tilesBetween } from './tile.ts'
import { parseTilePath, tilePath } from './tile-path.ts'
import { formatProof, parseProof } from './tlog-proof.ts'

const sha256 = (data: Uint8Array) => hash('sha256', data, 'buffer')

/** The key of the example in Go's package golang.org/x/mod/sumdb/note. */
const goVerifierKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const goNote = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`

const verifyEd25519 = (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array) =>
  verify(null, text, { key: spki(publicKey), format: 'der', type: 'spki' }, signature)

const spki = (key: Uint8Array) =>
  Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key])

function aSigner(name: string, seed = 1): NoteSigner {
  const pkcs8 = Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    Buffer.alloc(32, seed),
  ])
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const { x = '' } = key.export({ format: 'jwk' })
  return {
    key: makeNoteKey(name, Buffer.from(x, 'base64url'), sha256),
    sign: (text) => sign(null, text, key),
  }
}

describe('canonical JSON', () => {
  it('has the example of RFC 8785, 3.2.3', () => {
    const value = JSON.parse(
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}',
    )
    expect(Object.keys(JSON.parse(canonicalJson(value)))).toHaveLength(7)
    expect(canonicalJson(value)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis","\u20ac":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    )
    expect(canonicalJson([1e21, 4.5, 2e-3, 1e-27, -0, undefined, null, true])).toBe(
      '[1e+21,4.5,0.002,1e-27,0,null,null,true]',
    )
    expect(canonicalJson({ b: undefined, a: { d: 1, c: undefined } })).toBe('{"a":{"d":1}}')
  })

  it('is JSON of the same value, and does not heed the order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(reversed(value))).toBe(text)
      }),
    )
  })
})

describe('an entry', () => {
  const entry: AuditEntry = {
    at: '2026-11-22T15:04:05.123Z',
    type: 'api.called',
    actor: 'local',
    data: { route: 'POST /api/agents', status: 200, skipped: undefined },
  }

  it('is canonical JSON that is read back', () => {
    const body = encodeEntry(entry, sha256)
    expect(Buffer.from(body).toString()).toBe(
      '{"actor":"local","at":"2026-11-22T15:04:05.123Z","data":{"route":"POST /api/agents","status":200},"type":"api.called"}',
    )
    expect(readEntry(body)).toEqual({ ...entry, data: { route: 'POST /api/agents', status: 200 } })
  })

  it('is cut where it is too long, and says what it was', () => {
    const texts = { promptText: 'p'.repeat(70_000), model: 'gpt' }
    const cut = readEntry(encodeEntry({ ...entry, data: texts }, sha256))
    expect(cut?.data).toEqual({
      model: 'gpt',
      promptText: {
        cut: true,
        bytes: 70_002,
        start: 'p'.repeat(512),
        sha256: `sha256:${hash('sha256', JSON.stringify(texts.promptText))}`,
      },
    })
  })

  it('never is longer than a bundle can hold, and always is one', () => {
    const long = fc.nat(80_000).map((length) => '\u{1f41d}"x'.repeat(length >> 2))
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.oneof(fc.string(), long),
        fc.dictionary(fc.oneof(fc.string(), long), fc.oneof(fc.jsonValue(), long)),
        (type, actor, data) => {
          const body = encodeEntry({ at: entry.at, type, actor, executionId: actor, data }, sha256)
          expect(body.length).toBeLessThanOrEqual(maxEntryBytes)
          expect(readEntry(body)).toBeDefined()
        },
      ),
      { numRuns: 60 },
    )
  })

  it.each([
    '',
    '{}',
    '[]',
    'null',
    '{"at":1,"type":"a","data":{}}',
    '{"at":"","type":"","data":[]}',
  ])('is not %j', (text) => {
    expect(readEntry(Buffer.from(text))).toBeUndefined()
  })
})

describe('a bundle', () => {
  it('gives back the entries that were put in', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 256 }), (bodies) => {
        const { bodies: read, rest } = readBundle(formatBundle(bodies))
        expect(read.map((body) => Buffer.from(body))).toEqual(
          bodies.map((body) => Buffer.from(body)),
        )
        expect(rest).toBe(0)
      }),
    )
  })

  it('is read without failing, whatever the bytes, and nothing of them is lost', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const { bodies, rest } = readBundle(bytes)
        const read = bodies.reduce((sum, body) => sum + 2 + body.length, 0)
        expect(read + rest).toBe(bytes.length)
        expect(Buffer.from(formatBundle(bodies))).toEqual(Buffer.from(bytes.subarray(0, read)))
      }),
    )
  })
})

describe('the path of a tile', () => {
  it('is spelled as in the specification', () => {
    const hashes = { kind: 'hashes', level: 0, index: 1_234_067, width: 256 } as const
    expect(tilePath(hashes)).toBe('tile/0/x001/x234/067')
    expect(tilePath({ ...hashes, index: 5, width: 112 })).toBe('tile/0/005.p/112')
    expect(tilePath({ kind: 'entries', index: 273, width: 112 })).toBe('tile/entries/273.p/112')
  })

  it('is read back, and in no other spelling', () => {
    const resource = fc.oneof(
      fc.record({
        kind: fc.constant('hashes' as const),
        level: fc.nat(63),
        index: fc.nat(2 ** 40),
        width: fc.integer({ min: 1, max: 256 }),
      }),
      fc.record({
        kind: fc.constant('entries' as const),
        index: fc.nat(2 ** 40),
        width: fc.integer({ min: 1, max: 256 }),
      }),
    )
    fc.assert(
      fc.property(resource, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual(tile)
      }),
    )
    for (const path of [
      'tile/00/000',
      'tile/64/000',
      'tile/0/0',
      'tile/0/x000/000',
      'tile/0/000.p/0',
      'tile/0/000.p/256',
      'tile/0/000.p/007',
      'tile/0/../../etc',
      'tile/entries/001/002',
      'tile/0/000\n',
      '/tile/0/000',
    ]) {
      expect([path, parseTilePath(path)]).toEqual([path, undefined])
    }
  })

  it('is listed for what a larger tree adds', () => {
    const added = [...tilesBetween(0, 70_000)]
    expect(added.filter(({ level }) => level === 0)).toHaveLength(274)
    expect(added.filter(({ level }) => level > 0)).toEqual([
      { level: 1, index: 0, width: 256 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ])
    expect([...tilesBetween(69_990, 70_000)]).toEqual([{ level: 0, index: 273, width: 112 }])
    expect([...tilesBetween(256, 256)]).toEqual([])
    expect(tileAt(1, 0, 255)).toBeUndefined()
  })
})

describe('a signed note', () => {
  it('of Go is read with its key', () => {
    const key = parseVerifierKey(goVerifierKey, sha256)
    expect(formatVerifierKey(key)).toBe(goVerifierKey)
    expect(openNote(goNote, key, verifyEd25519)).toMatch(/^If you think/)
  })

  it('is opened by its key alone, with signatures of others beside it', () => {
    const ours = aSigner('example.com/log')
    const note = signNote('a\n\nb\n', ours)
    const both = note + signNote('', aSigner('witness', 2)).slice(1)
    expect(openNote(both, ours.key, verifyEd25519)).toBe('a\n\nb\n')
    const unsigned = { code: 'audit.signature' }
    for (const other of [aSigner('example.com/log', 3), aSigner('example.com/other')]) {
      expect(() => openNote(note, other.key, verifyEd25519)).toThrow(
        expect.objectContaining(unsigned),
      )
    }
  })

  it('is refused when any character of it is changed', () => {
    const signer = aSigner('example.com/log')
    const note = signCheckpoint({ size: 7, root: Buffer.alloc(32, 7) }, signer)
    fc.assert(
      fc.property(
        fc.nat(note.length - 1),
        fc.string({ minLength: 1, maxLength: 1 }),
        (at, other) => {
          const changed = note.slice(0, at) + other + note.slice(at + 1)
          if (changed === note) return
          expect(() => openCheckpoint(changed, signer.key, verifyEd25519)).toThrow()
        },
      ),
      { numRuns: 400 },
    )
  })

  it('is no note without its parts', () => {
    const { key } = aSigner('log')
    for (const text of [
      '',
      '\n',
      'a',
      'a\n\n',
      'a\n\n— log',
      'a\n\n— log AAAA\n',
      'a\0\n\n— log AAAAAAAA\n',
    ]) {
      expect(() => openNote(text, key, verifyEd25519)).toThrow(
        expect.objectContaining({ code: 'audit.note' }),
      )
    }
  })

  it('has a key that is one line, and no other spelling of it', () => {
    const line = formatVerifierKey(aSigner('example.com/log').key)
    expect(parseVerifierKey(`${line}\n`, sha256).name).toBe('example.com/log')
    const wrong = { code: 'audit.key' }
    fc.assert(
      fc.property(fc.nat(line.length - 1), (at) => {
        const changed = line.slice(0, at) + (line[at] === 'A' ? 'B' : 'A') + line.slice(at + 1)
        expect(() => parseVerifierKey(changed, sha256)).toThrow(expect.objectContaining(wrong))
      }),
    )
    expect(() => makeNoteKey('two words', new Uint8Array(32), sha256)).toThrow(
      expect.objectContaining({ code: 'audit.key-name' }),
    )
  })
})

describe('a checkpoint', () => {
  const signer = aSigner('example.com/log')

  it('is read back as it was signed', () => {
    fc.assert(
      fc.property(
        fc.nat(Number.MAX_SAFE_INTEGER),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (size, root) => {
          const note = signCheckpoint({ size, root }, signer)
          const checkpoint = { origin: 'example.com/log', size, root }
          expect(openCheckpoint(note, signer.key, verifyEd25519)).toEqual(checkpoint)
        },
      ),
      { numRuns: 30 },
    )
  })

  it.each([
    'log\n1\nAAAA\n',
    'example.com/log\n01\nAAAA\n',
    'example.com/log\n1\nAAAA\n',
    'x\n',
  ])('is not %j, though it is signed', (text) => {
    expect(() => openCheckpoint(signNote(text, signer), signer.key, verifyEd25519)).toThrow(
      expect.objectContaining({ code: 'audit.checkpoint' }),
    )
  })
})

describe('a proof', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(
        fc.record({
          index: fc.nat(Number.MAX_SAFE_INTEGER),
          extra: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
          path: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 60 }),
          checkpoint: fc.constant('log\n1\nAAAA\n\n— log AAAAAAAA\n'),
        }),
        (proof) => {
          expect(parseProof(formatProof(proof))).toEqual(proof)
        },
      ),
    )
  })

  it('is refused, not misread, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        expect(() => parseProof(text)).toThrow(expect.objectContaining({ code: 'audit.proof' }))
      }),
    )
  })
})

/** The same value with its keys in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  )
}
