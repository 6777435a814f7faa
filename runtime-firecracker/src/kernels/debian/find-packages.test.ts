import { expect, it } from 'vitest'
import { findPackages } from './find-packages.ts'

const sha256 = '2'.repeat(64)
const stanza = `Package: libkrunfw5
Version: 5.5.0+ds-1
Description: Library über alles
Depends: libc6 (>= 2.4), kernel | other
Filename: pool/main/libk/libkrunfw/libkrunfw5_5.5.0+ds-1_amd64.deb
Size: 6625300
SHA256: ${sha256}
`

it('finds a package wherever the text is cut', async () => {
  const index = `Package: a\nVersion: 1\n\n${stanza}\nPackage: b\n`
  for (const size of [1, 7, 100, 10_000]) {
    expect(await find(index, size)).toEqual([
      {
        name: 'libkrunfw5',
        version: '5.5.0+ds-1',
        path: 'pool/main/libk/libkrunfw/libkrunfw5_5.5.0+ds-1_amd64.deb',
        sizeBytes: 6625300,
        sha256,
        depends: ['libc6', 'kernel'],
      },
    ])
  }
})

it.each([
  ['leads out of the mirror', stanza.replace('pool/main', 'pool/../../etc')],
  ['leads to another host', stanza.replace('pool/main', 'http://evil/')],
  ['names no digest', stanza.replace(sha256, 'none')],
  ['names no size', stanza.replace('6625300', '-1')],
  ['never ends', `${stanza}${'x'.repeat(270_000)}`],
])('refuses an index that %s', async (_, index) => {
  await expect(find(index, 8192)).rejects.toMatchObject({ code: 'kernel.index' })
})

async function find(index: string, size: number) {
  async function* chunks() {
    const bytes = Buffer.from(index)
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  return Array.fromAsync(findPackages(chunks(), (name) => name === 'libkrunfw5'))
}
