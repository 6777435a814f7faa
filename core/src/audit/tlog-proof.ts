import { AegisError } from '../kernel/aegis-error.ts'
import { fromBase64, toBase64 } from '../kernel/base64.ts'
import { hashLength } from './merkle-hash.ts'

/** A proof that can be checked without the log (C2SP tlog-proof). */
export interface TlogProof {
  readonly index: number
  /** The entry itself; or, where the log no longer has it, the 32 bytes of its hash. */
  readonly extra: Uint8Array | undefined
  readonly path: readonly Uint8Array[]
  /** The signed note. */
  readonly checkpoint: string
}

const heading = 'c2sp.org/tlog-proof@v1'
const maxProofChars = 2_000_000

export const formatProof = ({ index, extra, path, checkpoint }: TlogProof): string =>
  [
    heading,
    ...(extra === undefined ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...path.map(toBase64),
    '',
    checkpoint,
  ].join('\n')

/** @throws AegisError `invalid` / `audit.proof` */
export function parseProof(text: string): TlogProof {
  const end = text.indexOf('\n\n')
  if (text.length > maxProofChars || end === -1) throw notAProof('it has no empty line')
  const [first, ...lines] = text.slice(0, end).split('\n')
  if (first !== heading) throw notAProof(`its first line is not ${heading}`)
  const extraLine = lines[0]?.startsWith('extra ') ? lines.shift() : undefined
  const extra = extraLine === undefined ? undefined : fromBase64(extraLine.slice('extra '.length))
  if (extraLine !== undefined && extra === undefined) throw notAProof('its extra is no base64')
  const index = /^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? '')?.[1]
  if (index === undefined || !Number.isSafeInteger(Number(index))) {
    throw notAProof('it names no index')
  }
  const path = lines.map((line) => {
    const hash = fromBase64(line)
    if (hash?.length !== hashLength) throw notAProof('one of its lines is no hash')
    return hash
  })
  if (path.length > 64) throw notAProof('it has more than 64 hashes')
  return { index: Number(index), extra, path, checkpoint: text.slice(end + 2) }
}

const notAProof = (why: string): AegisError =>
  new AegisError(
    'invalid',
    'audit.proof',
    `This is no proof: ${why}. aegis audit prove <index> makes one.`,
  )
