import { AegisError } from '@aegis/core'

export interface ArMember {
  readonly name: string
  readonly content: Buffer
}

const magic = '!<arch>\n'
const headerBytes = 60
const maxMembers = 16

/**
 * The members of an `ar` archive, which is what a Debian package is.
 * @throws AegisError `invalid` / `kernel.package`
 */
export function readAr(archive: Buffer): readonly ArMember[] {
  if (archive.toString('latin1', 0, magic.length) !== magic) throw invalid('does not begin as one')
  const members: ArMember[] = []
  for (let at = magic.length; at < archive.length; ) {
    if (members.length === maxMembers) throw invalid(`has more than ${maxMembers} parts`)
    const header = archive.toString('latin1', at, at + headerBytes)
    if (header.length < headerBytes || header.slice(58) !== '`\n') throw invalid('has a bad header')
    const size = header.slice(48, 58).trimEnd()
    if (!/^\d{1,10}$/.test(size)) throw invalid('has a part of no size')
    const start = at + headerBytes
    const end = start + Number(size)
    if (end > archive.length) throw invalid('ends too early')
    const name = header.slice(0, 16).trimEnd().replace(/\/$/, '')
    members.push({ name, content: archive.subarray(start, end) })
    at = end + (end % 2)
  }
  return members
}

const invalid = (reason: string) =>
  new AegisError(
    'invalid',
    'kernel.package',
    `This is no Debian package: it ${reason}. Fetch it again: aegis kernel fetch`,
  )
