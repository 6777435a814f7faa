import { AegisError } from '../kernel/aegis-error.ts'
import { fromBase64, toBase64 } from '../kernel/base64.ts'
import { toHex } from '../kernel/hex.ts'
import { type Sha256, sameBytes } from './merkle-hash.ts'

/** A public key that notes are checked with (C2SP signed-note), and what it is called. */
export interface NoteKey {
  readonly name: string
  /** First four bytes of SHA-256(name, line feed, 1, public key). */
  readonly id: Uint8Array
  readonly publicKey: Uint8Array
}

/** Signs with the private half of a key: Ed25519 (RFC 8032). */
export interface NoteSigner {
  readonly key: NoteKey
  sign(text: Uint8Array): Uint8Array
}

export type VerifyEd25519 = (
  publicKey: Uint8Array,
  text: Uint8Array,
  signature: Uint8Array,
) => boolean

/** What must be passed in, since core has no I/O. */
export interface NoteCrypto {
  readonly sha256: Sha256
  readonly verify: VerifyEd25519
}

/** Room for a manifest with its files, which is signed as a note too. */
const maxNoteChars = 2 * 2 ** 20
const maxSignatures = 100
const ed25519 = 1

export function makeNoteKey(name: string, publicKey: Uint8Array, sha256: Sha256): NoteKey {
  if (!isKeyName(name)) {
    throw new AegisError(
      'invalid',
      'audit.key-name',
      `"${name}" cannot name a log: a name has no spaces, no "+" and no control characters, for example audit.example.com/node-1`,
    )
  }
  const id = sha256(join(utf8.encode(`${name}\n`), Uint8Array.of(ed25519), publicKey)).slice(0, 4)
  return { name, id, publicKey }
}

/** The one line that a verifier needs: `<name>+<id>+<key>`. */
export const formatVerifierKey = ({ name, id, publicKey }: NoteKey): string =>
  `${name}+${toHex(id)}+${toBase64(join(Uint8Array.of(ed25519), publicKey))}`

/** @throws AegisError `invalid` / `audit.key` */
export function parseVerifierKey(line: string, sha256: Sha256): NoteKey {
  const [, name = '', id = '', key = ''] =
    /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(line.trim()) ?? []
  const bytes = fromBase64(key)
  if (bytes?.length === 33 && bytes[0] === ed25519 && isKeyName(name)) {
    const parsed = makeNoteKey(name, bytes.slice(1), sha256)
    if (toHex(parsed.id) === id) return parsed
  }
  throw new AegisError(
    'invalid',
    'audit.key',
    `"${line.trim().slice(0, 200)}" is no public key of a log. It is one line like name+1a2b3c4d+AbCd…=, which aegis audit key prints.`,
  )
}

/** `text` must end with a line feed. */
export function signNote(text: string, { key, sign }: NoteSigner): string {
  const signature = toBase64(join(key.id, sign(utf8.encode(text))))
  return `${text}\n— ${key.name} ${signature}\n`
}

/**
 * The text of a note, when `key` has signed it; signatures of others are passed over.
 * @throws AegisError `invalid` / `audit.note` it is no note · `audit.signature` not signed by `key`
 */
export function openNote(note: string, key: NoteKey, verify: VerifyEd25519): string {
  const { text, signatures } = parseNote(note)
  const bytes = utf8.encode(text)
  let isSigned = false
  for (const { name, signature } of signatures) {
    if (name !== key.name || !sameBytes(signature.subarray(0, 4), key.id)) continue
    if (!verify(key.publicKey, bytes, signature.subarray(4))) throw unsigned(key)
    isSigned = true
  }
  if (!isSigned) throw unsigned(key)
  return text
}

interface ParsedNote {
  readonly text: string
  readonly signatures: readonly { readonly name: string; readonly signature: Uint8Array }[]
}

function parseNote(note: string): ParsedNote {
  const split = note.lastIndexOf('\n\n')
  const lines = note.slice(split + 2).split('\n')
  if (
    note.length > maxNoteChars ||
    split === -1 ||
    hasControls(note) ||
    lines.length > maxSignatures + 1 ||
    lines.length < 2 ||
    lines.pop() !== ''
  ) {
    throw notANote()
  }
  const signatures = lines.map((line) => {
    const [, name = '', text = ''] = /^— (\S+) (\S+)$/u.exec(line) ?? []
    const signature = fromBase64(text)
    if (!isKeyName(name) || signature === undefined || signature.length < 5) throw notANote()
    return { name, signature }
  })
  return { text: note.slice(0, split + 1), signatures }
}

/** Control characters but line feeds, and halves of surrogate pairs, which UTF-8 does not have. */
const hasControls = (text: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\0-\x09\x0b-\x1f]/.test(text) || !text.isWellFormed()

const isKeyName = (name: string): boolean =>
  name !== '' && name.length <= maxNameChars && !/[\s+]/u.test(name) && !hasControls(`${name}`)

const maxNameChars = 255

const notANote = (): AegisError =>
  new AegisError(
    'invalid',
    'audit.note',
    'This is no signed note: a text, an empty line, and lines that begin with "— " and a name.',
  )

const unsigned = ({ name }: NoteKey): AegisError =>
  new AegisError(
    'invalid',
    'audit.signature',
    `This is not signed by the key of ${name}: it was changed, or another log has signed it.`,
  )

const utf8 = new TextEncoder()

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
