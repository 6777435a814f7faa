import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { failureOf } from '../../testing/a-vmlinux.ts'
import { parseRelease } from './parse-release.ts'

const digest = 'a'.repeat(64)
const text = `Origin: Debian
Suite: unstable
Codename: sid
Date: Fri, 30 Oct 2026 08:08:01 UTC
Valid-Until: Fri, 06 Nov 2026 08:08:01 UTC
Acquire-By-Hash: yes
MD5Sum:
 ${'b'.repeat(32)} 12 main/binary-amd64/Packages.gz
SHA256:
 ${digest} 15001303 main/binary-amd64/Packages.gz
`

it('reads the dates of an index and the digests of its files', () => {
  expect(parseRelease(text)).toEqual({
    suite: 'sid',
    date: new Date('2026-10-30T08:08:01Z'),
    validUntil: new Date('2026-11-06T08:08:01Z'),
    byHash: true,
    files: new Map([['main/binary-amd64/Packages.gz', { sha256: digest, sizeBytes: 15001303 }]]),
  })
})

it('refuses an index that says two things, or no date', () => {
  for (const broken of [
    `${text}Date: Fri, 30 Oct 2020 08:08:01 UTC\n`,
    text.replace(/^Date:.*\n/m, ''),
    text.replace('30 Oct', '99 Foo'),
    text.slice(0, text.indexOf('SHA256:')),
  ])
    expect(failureOf(() => parseRelease(broken))).toMatchObject({ code: 'kernel.index' })
})

it('either reads or refuses any text', () => {
  const lines = fc.array(fc.constantFrom(...text.split('\n'), 'SHA256:', ' x', ':', '\0'))
  fc.assert(
    fc.property(lines, (parts) => {
      const error = failureOf(() => parseRelease(parts.join('\n')))
      if (error !== undefined) expect(error).toBeInstanceOf(AegisError)
    }),
  )
})
