import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPath } from './path-readings.ts'

describe('a path', () => {
  it.each([
    ['/', []],
    ['/repos/a/b', []],
    ['/a%20b/%C3%A9', []],
    ['/a.b/..c/...', []],
    ['/x/', []],
  ])('%s is what it says', (path, lenient) => {
    expect(readPath(path)).toEqual({ written: path, lenient })
  })

  it.each([
    ['/%61dmin', '/admin', []],
    ['/%7euser/%c3%a9', '/~user/%C3%A9', []],
    ['/repos/a%2fb', '/repos/a%2Fb', ['/repos/a/b']],
    ['/%2561dmin%252fx', '/%2561dmin%252fx', ['/admin/x']],
    ['//admin', '//admin', ['/admin']],
    ['/public\\admin', '/public\\admin', ['/public/admin']],
    ['/admin;x=1/users', '/admin;x=1/users', ['/admin/users']],
    ['/a;b//c', '/a;b//c', ['/a;b/c', '/a/c']],
  ])('%s is also what lenient servers take it for', (path, written, lenient) => {
    expect(readPath(path)).toEqual({ written, lenient })
  })

  it.each([
    '/../admin',
    '/a/./b',
    '/a/..',
    '/a/%2e%2e/b',
    '/a/.%2E/b',
    '/a%2f..%2fb',
    '/a/..%5cb',
    '/a/..\\b',
    '/a/%252e%252e/b',
    '/a/%25252e%25252e/b',
    '/a/..;/b',
    '/a/..;x=1/b',
    '/a/..%3b/b',
    '/a/%c0%ae%c0%ae/b',
    '/a/%e0%80%ae/b',
    '/a%00',
    '/%2525252525252e',
    '/a%0d%0aX',
    '/a%7f',
    '/a%',
    '/a%2',
    '/a%zz',
    '/a#b',
    '/a b',
    '/é',
    'a',
    '',
  ])('%s is refused', (path) => {
    expect(readPath(path)).toBeUndefined()
  })

  it('has no reading with a dot segment, whatever it is made of', () => {
    const parts = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2F',
      '%5c',
      '\\',
      ';',
      '%25',
      '2e',
      'a',
      '%3B',
    )
    fc.assert(
      fc.property(fc.array(parts), (pieces) => {
        const readings = readPath(`/${pieces.join('')}`)
        if (readings === undefined) return
        for (const path of [readings.written, ...readings.lenient]) {
          let decoded = path
          for (let turn = 0; turn < 5; turn++) {
            expect(decoded.split(/[/\\]/).map((x) => x.replace(/;.*/, ''))).not.toContain('..')
            decoded = decoded.replace(/%([0-9a-f]{2})/gi, (_, x) =>
              String.fromCharCode(Number.parseInt(x, 16)),
            )
          }
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('reads the same again what it has read', () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        const first = readPath(`/${path.replace(/^\//, '')}`)
        fc.pre(first !== undefined)
        if (first !== undefined) expect(readPath(first.written)).toEqual(first)
      }),
    )
  })
})
