import type { Instant } from '../kernel/clock.ts'
import type { Secret } from '../kernel/secret.ts'
import type { KeySource } from './key-source.ts'
import type { SecretFacts, SecretVault } from './secret-vault.ts'

/** A secret as it is listed. */
export interface SecretSummary extends SecretFacts {
  readonly createdAt: Instant
  readonly updatedAt: Instant
  /**
   * `altered`: something else than AEGIS changed its entry or put an earlier one back. `missing`:
   * something else removed it; all but the name is empty. Nobody may use either.
   */
  readonly state: 'intact' | 'altered' | 'missing'
}

export interface KeptSecret extends Omit<SecretSummary, 'state'> {
  readonly value: Secret
}

/** What a new key did. */
export interface SecretRotation {
  /** How many secrets were encrypted anew. */
  readonly secrets: number
  /** Where the key comes from now: `file`, `env:NAME` or `passphrase:env:NAME`. */
  readonly key: string
  /** False where the source gave what it gave before: only what the key protects is new. */
  readonly isKeyNew: boolean
  /** Whether the config names this source; otherwise it must, before the node starts again. */
  readonly isConfigured: boolean
}

/**
 * A vault that can be changed. A change is durable once its method resolves, and not there at all
 * when it throws; changes may be asked for concurrently and are made one after the other.
 * @throws AegisError `denied` / `secret.…` by each method, where the vault cannot be opened: its key
 * is absent or another, or something else than AEGIS changed it
 */
export interface SecretKeeper extends SecretVault {
  /** In the order of names. */
  list(): readonly SecretSummary[]
  /** Keeps a secret, in place of what has its name. @throws `exhausted` / `secret.limit` */
  put(secret: KeptSecret): Promise<void>
  /** False where there is none of this name. */
  remove(name: string): Promise<boolean>
  /**
   * Encrypts everything anew under a new key of this source; absent: of the same as before. Killed
   * at any moment, it leaves what can be opened by the old or by the new key.
   * @throws `denied` / `secret.altered` while some secret is not intact
   */
  rotate(source?: KeySource): Promise<SecretRotation>
}
