import { AegisError } from '../kernel/aegis-error.ts'
import { fromBase64, toBase64 } from '../kernel/base64.ts'
import { hashLength } from './merkle-hash.ts'
import {
  type NoteKey,
  type NoteSigner,
  openNote,
  signNote,
  type VerifyEd25519,
} from './signed-note.ts'

/** What a log vouches for at one moment (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Name of the log; also that of its key. */
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

export const signCheckpoint = (
  { size, root }: Omit<Checkpoint, 'origin'>,
  signer: NoteSigner,
): string => signNote(`${signer.key.name}\n${size}\n${toBase64(root)}\n`, signer)

/**
 * The checkpoint in a note that `key` has signed.
 * @throws AegisError what `openNote` throws · `invalid` / `audit.checkpoint`
 */
export function openCheckpoint(note: string, key: NoteKey, verify: VerifyEd25519): Checkpoint {
  const [origin = '', size = '', root = ''] = openNote(note, key, verify).split('\n')
  const hash = fromBase64(root)
  if (origin !== key.name) throw notACheckpoint(`it is of the log ${origin}, not of ${key.name}`)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) {
    throw notACheckpoint('its second line is no size')
  }
  if (hash?.length !== hashLength) throw notACheckpoint('its third line is no root')
  return { origin, size: Number(size), root: hash }
}

const notACheckpoint = (why: string): AegisError =>
  new AegisError('invalid', 'audit.checkpoint', `This is no checkpoint of the log: ${why}.`)
