import type { Attributes, ByteText } from '../erofs/tree.ts'
import { maxExtensionBytes } from './archive-limits.ts'
import { badArchive } from './bad-archive.ts'
import { type PaxRecords, parsePaxRecords } from './pax-records.ts'
import { parseTarHeader, type TarHeader, tarBlockBytes } from './tar-header.ts'

/** An entry of a tar archive; nothing of it is checked but its form. */
export interface TarMember extends Attributes {
  readonly kind: 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo'
  readonly path: ByteText
  readonly linkPath: ByteText
  readonly major: number
  readonly minor: number
  /** Of its content, which begins at `offset` of the archive. */
  readonly sizeBytes: number
  readonly offset: number
}

export interface TarListener {
  /** Each entry once, before its content. */
  member(member: TarMember): void
  /** Only valid during the call. */
  content?(bytes: Uint8Array): void
  /** After the last byte of an entry. */
  memberEnd?(): void
}

/** Takes an archive in pieces of any size. It keeps a header in memory, and no content. */
export interface TarScanner {
  /** @throws AegisError `invalid` / `image.archive` */
  push(bytes: Uint8Array): void
  /** @throws AegisError `invalid` / `image.archive` it ended too early */
  end(): void
}

const kinds: Readonly<Record<string, TarMember['kind']>> = {
  '0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
}

/** What is read now, and how many bytes of it are to come. */
type State =
  | { readonly part: 'header' }
  | { readonly part: 'content'; rest: number }
  | { readonly part: 'extension'; readonly type: string; rest: number; readonly bytes: Buffer[] }
  | { readonly part: 'padding'; rest: number }
  | { readonly part: 'over' }

/** Reads ustar, pax and GNU's long names, as engines and every tar write them. */
export function makeTarScanner(listener: TarListener): TarScanner {
  const header = Buffer.alloc(tarBlockBytes)
  let headerBytes = 0
  let position = 0
  let zeroBlocks = 0
  let paddingBytes = 0
  let state: State = { part: 'header' }
  let extended: PaxRecords = {}

  const finishContent = () => {
    state = paddingBytes > 0 ? { part: 'padding', rest: paddingBytes } : { part: 'header' }
  }

  const begin = (size: number, next: State) => {
    paddingBytes = (tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes
    state = next
  }

  const takeHeader = () => {
    headerBytes = 0
    if (header.every((byte) => byte === 0)) {
      zeroBlocks++
      if (zeroBlocks === 2) state = { part: 'over' }
      return
    }
    if (zeroBlocks > 0) throw badArchive('its tar archive goes on after its end')
    const found = parseTarHeader(header)
    if ('xgLK'.includes(found.type)) {
      if (found.size > maxExtensionBytes)
        throw badArchive('an extended header of its tar archive is longer than 1 MiB')
      begin(found.size, { part: 'extension', type: found.type, rest: found.size, bytes: [] })
      if (found.size === 0) finishContent()
      return
    }
    const member = memberOf(found, extended, position)
    extended = {}
    listener.member(member)
    begin(member.sizeBytes, { part: 'content', rest: member.sizeBytes })
    if (member.sizeBytes === 0) {
      listener.memberEnd?.()
      finishContent()
    }
  }

  const finishExtension = (type: string, body: Buffer) => {
    if (type === 'x') extended = { ...extended, ...parsePaxRecords(body) }
    const text = () => body.toString('latin1').replace(/\0.*$/s, '')
    if (type === 'L') extended = { ...extended, path: text() }
    if (type === 'K') extended = { ...extended, linkPath: text() }
    finishContent()
  }

  /** Takes what it can of the bytes, and says how many. */
  const step = (bytes: Uint8Array): number => {
    if (state.part === 'over') return bytes.length
    if (state.part === 'header') {
      const part = bytes.subarray(0, tarBlockBytes - headerBytes)
      header.set(part, headerBytes)
      headerBytes += part.length
      position += part.length
      if (headerBytes === tarBlockBytes) takeHeader()
      return part.length
    }
    const part = bytes.subarray(0, state.rest)
    state.rest -= part.length
    position += part.length
    if (state.part === 'content') listener.content?.(part)
    if (state.part === 'extension') state.bytes.push(Buffer.from(part))
    if (state.rest > 0) return part.length
    if (state.part === 'padding') state = { part: 'header' }
    else if (state.part === 'extension') finishExtension(state.type, Buffer.concat(state.bytes))
    else {
      listener.memberEnd?.()
      finishContent()
    }
    return part.length
  }

  return {
    push(bytes) {
      for (let done = 0; done < bytes.length; ) done += step(bytes.subarray(done))
    },
    end() {
      // Some programs leave the end away, or half of it.
      const isComplete = state.part === 'over' || (state.part === 'header' && headerBytes === 0)
      if (!isComplete || position === 0) throw badArchive('its tar archive ends too early')
    },
  }
}

function memberOf(header: TarHeader, records: PaxRecords, offset: number): TarMember {
  const kind = kinds[header.type]
  if (kind === undefined)
    throw badArchive(`its tar archive has an entry of type ${JSON.stringify(header.type)}`)
  return {
    kind,
    path: records.path ?? header.path,
    linkPath: records.linkPath ?? header.linkPath,
    mode: header.mode,
    uid: records.uid ?? header.uid,
    gid: records.gid ?? header.gid,
    mtimeSeconds: records.mtimeSeconds ?? header.mtimeSeconds,
    mtimeNanoseconds: records.mtimeNanoseconds ?? 0,
    major: header.major,
    minor: header.minor,
    // Others have no content, whatever their size says.
    sizeBytes: kind === 'file' ? (records.size ?? header.size) : 0,
    offset,
  }
}
