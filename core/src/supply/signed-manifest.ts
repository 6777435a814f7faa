import type { AgentManifest } from '../agent/agent-manifest.ts'
import { parseManifestValue } from '../agent/parse-manifest.ts'
import { sameManifest } from '../agent/same-manifest.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import { canonicalJson } from '../kernel/canonical-json.ts'
import type { ManifestVerifier } from './supply-verifiers.ts'

/** The text that a signature of a manifest is over: all of it, with the files of its context. */
export const manifestText = (manifest: AgentManifest): string => `${canonicalJson(manifest)}\n`

/**
 * The manifest in a signed note. Who signed it is not looked at.
 * @throws AegisError `invalid` / `manifest.note` · `manifest.invalid`
 */
export function readSignedManifest(note: string): AgentManifest {
  const end = note.indexOf('\n\n')
  return manifestIn(note.slice(0, Math.max(end, 0)))
}

/**
 * Refuses a manifest that nobody signed whose key the operator named.
 * @throws AegisError `denied` / `manifest.unsigned`, `manifest.signature`
 */
export function requireSignature(
  verifier: ManifestVerifier | undefined,
  manifest: AgentManifest,
  note: string | undefined,
): void {
  if (verifier === undefined) return
  const { name } = manifest.metadata
  if (note === undefined) {
    throw new AegisError(
      'denied',
      'manifest.unsigned',
      `The operator of this node takes signed manifests alone (spec.security.supply.manifest_keys), and that of ${name} is not signed. Sign it: aegis agent sign <manifest> --key <key>`,
    )
  }
  // What was signed is what counts, in whatever version of AEGIS it was signed.
  if (sameManifest(manifestIn(verifier.open(note)), manifest)) return
  throw new AegisError(
    'denied',
    'manifest.signature',
    `The signature that came with the manifest of ${name} is of another one. Sign it again: aegis agent sign <manifest> --key <key>`,
  )
}

function manifestIn(text: string): AgentManifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new AegisError(
      'invalid',
      'manifest.note',
      'This is no signed manifest. aegis agent sign makes one: a line of JSON, an empty line, and the signatures.',
      { cause },
    )
  }
  return parseManifestValue(value)
}
