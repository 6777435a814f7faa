import type { SignatureVerifier } from '../image/image-trust.ts'

/** Checks a manifest that was signed as a note (C2SP signed-note) by one of the operator's keys. */
export interface ManifestVerifier {
  /**
   * The text that was signed.
   * @throws AegisError `denied` / `manifest.signature` it is no such note, or another key signed it
   */
  open(note: string): string
}

/** What the keys of `spec.security.supply` have signed; absent where nothing has to be. */
export interface SupplyVerifiers {
  readonly images: SignatureVerifier | undefined
  readonly manifests: ManifestVerifier | undefined
}
