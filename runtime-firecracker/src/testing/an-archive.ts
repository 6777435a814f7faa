import type { ArMember } from '../kernels/archive/read-ar.ts'
import type { TarFile } from '../kernels/archive/read-tar.ts'

/** An `ar` archive, as Debian packages are. */
export function anAr(members: readonly ArMember[]): Buffer {
  const parts = members.map(({ name, content }) => {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`
    const padding = content.length % 2 === 0 ? '' : '\n'
    return Buffer.concat([Buffer.from(header), content, Buffer.from(padding)])
  })
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts])
}

/** A tar archive as dpkg makes it: names of more than a hundred bytes go before the file. */
export function aTar(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap(({ path, content }) => {
    const name = `./${path}`
    const isLong = Buffer.byteLength(name) > 100
    return [
      ...(isLong ? entry('././@LongLink', 'L', Buffer.from(`${name}\0`)) : []),
      ...entry(name.slice(0, 100), '0', content),
    ]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

function entry(name: string, type: string, content: Buffer): readonly Buffer[] {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100, 'utf8')
  header.write('0000644\x000000\x000000\0', 100)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 124)
  header.write(' '.repeat(8), 148)
  header.write(type, 156)
  header.write('ustar  \0', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
}
