import { AegisError, type ManifestVerifier } from '@aegis/core'
import { type NoteKey, openNote, parseVerifierKey } from '@aegis/core/audit'
import { auditCrypto } from '../audit/audit-crypto.ts'

/**
 * Verifier keys of signed notes, one line each. Undefined where there are none.
 * @throws AegisError `invalid` / `supply.manifest-key`
 */
export function openManifestKeys(lines: readonly string[]): ManifestVerifier | undefined {
  if (lines.length === 0) return undefined
  const keys = lines.map(readKey)
  return {
    open(note) {
      for (const key of keys) {
        const text = textSignedBy(key, note)
        if (text !== undefined) return text
      }
      const names = keys.map(({ name }) => name).join(', ')
      throw new AegisError(
        'denied',
        'manifest.signature',
        `The manifest is signed by no key that the operator of this node trusts (${names}), or was changed since. Sign it with such a key: aegis agent sign <manifest> --key <key>`,
      )
    },
  }
}

function textSignedBy(key: NoteKey, note: string): string | undefined {
  try {
    return openNote(note, key, auditCrypto.verify)
  } catch (error) {
    if (error instanceof AegisError) return undefined
    throw error
  }
}

function readKey(line: string): NoteKey {
  try {
    return parseVerifierKey(line, auditCrypto.sha256)
  } catch (cause) {
    throw new AegisError(
      'invalid',
      'supply.manifest-key',
      `"${line.slice(0, 200)}" in spec.security.supply.manifest_keys is no verifier key. Write the line that aegis agent keygen printed, like name+1a2b3c4d+AbCd…=`,
      { cause },
    )
  }
}
