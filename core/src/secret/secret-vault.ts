import type { NetworkEntry } from '../agent/network-entry.ts'
import type { Secret } from '../kernel/secret.ts'

/** Where in a request a secret may stand. */
export const secretPlaces = ['header', 'bearer', 'basic', 'query', 'sigv4'] as const
export type SecretPlace = (typeof secretPlaces)[number]

/** What is known of a secret without its value. */
export interface SecretFacts {
  /** `a-z`, `0-9`, `-`, `_` and `.`, at most 80 characters. */
  readonly name: string
  /** Names of the agents that may use it; `*`: all. */
  readonly agents: readonly string[]
  /** Where it may be sent, written as a network allowlist; only over TLS. */
  readonly hosts: readonly string[]
  readonly places: readonly SecretPlace[]
}

/** A secret with its value, for the gateway alone. */
export interface UsableSecret extends Omit<SecretFacts, 'hosts'> {
  readonly value: Secret
  readonly hosts: readonly NetworkEntry[]
}

/** Keeps secrets, encrypted at rest. */
export interface SecretVault {
  /**
   * The secret, where this agent may use it; undefined for an agent out of its scope and for a name
   * that there is not: who may not use one does not learn whether it exists.
   */
  open(agentName: string, secretName: string): UsableSecret | undefined
}

/** A secret as one execution sees it: a text of no worth, which the gateway replaces. */
export interface ExecutionSecret extends UsableSecret {
  /** `aegis-secret-` and 32 hexadecimal digits; made anew for each iteration. */
  readonly placeholder: string
}

/** Every placeholder begins so, and nothing else should. */
export const placeholderPrefix = 'aegis-secret-'
