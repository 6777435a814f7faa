import { open, readFile } from 'node:fs/promises'
import { AegisError, type AgentManifest, manifestText } from '@aegis/core'
import { formatVerifierKey, signNote } from '@aegis/core/audit'
import { makePrivateNoteKey, parsePrivateNoteKey } from '../notes/private-note-key.ts'

/**
 * Makes a key that signs manifests, in a file of mode 0600, which must not be there yet. Returns the
 * line that verifies what it signs.
 * @throws AegisError `invalid` / `signing.key-name` · `conflict` / `signing.key-exists` ·
 * `invalid` / `signing.key-file`
 */
export async function makeSigningKey(name: string, path: string): Promise<string> {
  const line = keyNamed(name)
  try {
    await using file = await open(path, 'wx', 0o600)
    await file.writeFile(line)
    await file.sync()
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) {
      throw new AegisError(
        'conflict',
        'signing.key-exists',
        `${path} is there already, and a key is never written over. Name another file.`,
      )
    }
    throw unreadable(path, 'cannot be written', cause)
  }
  const signer = parsePrivateNoteKey(line)
  if (signer === undefined) throw new Error('A key that was just made is one')
  return formatVerifierKey(signer.key)
}

/**
 * The manifest as a signed note (C2SP signed-note).
 * @throws AegisError `invalid` / `signing.key-file`
 */
export async function signManifest(manifest: AgentManifest, keyPath: string): Promise<string> {
  const text = await readFile(keyPath, 'utf8').catch((cause: unknown) => {
    throw unreadable(keyPath, 'cannot be read', cause)
  })
  const signer = parsePrivateNoteKey(text)
  if (signer === undefined) throw unreadable(keyPath, 'holds no key that signs manifests')
  return signNote(manifestText(manifest), signer)
}

function keyNamed(name: string): string {
  try {
    return makePrivateNoteKey(name)
  } catch (cause) {
    if (!(cause instanceof AegisError)) throw cause
    throw new AegisError(
      'invalid',
      'signing.key-name',
      `"${name.slice(0, 100)}" cannot name a key: a name has no spaces, no "+" and no control characters, for example acme/release`,
      { cause },
    )
  }
}

const unreadable = (path: string, why: string, cause?: unknown): AegisError =>
  new AegisError(
    'invalid',
    'signing.key-file',
    `The key file ${path} ${why}. Make one: aegis agent keygen <name> -o <file>`,
    { cause },
  )

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code
