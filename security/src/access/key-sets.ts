import { AegisError, type Clock, type Logger } from '@aegis/core'
import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose'
import { z } from 'zod'

/** The keys of an identity provider, as they are now. */
export interface KeySets {
  /** @throws AegisError `unavailable` / `oidc.unavailable` when there are none to be had */
  current(): Promise<LocalJWKSet>
  /** Those behind `current`, when it is time to look again; undefined when it is not, or in vain. */
  newer(): Promise<LocalJWKSet | undefined>
}

interface Options {
  /** Asks for the keys anew. */
  readonly read: () => Promise<unknown>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly logger: Logger
}

/** How old keys may be before they are asked for again, */
export const freshMs = 600_000
/** and how old when that fails: so long a provider may be away, and a key that it withdrew counts. */
export const staleMs = 3_600_000
/** Between two looks, so that tokens with made-up keys do not make the node ask all the time. */
export const cooldownMs = 30_000
/** After a look that failed. */
export const backoffMs = 5_000
export const maxKeys = 100

/** Keeps the keys of a provider and asks for them when they are old, at most once at a time. */
export function makeKeySets({ read, clock, logger }: Options): KeySets {
  let kept: { readonly keys: LocalJWKSet; readonly atMs: number } | undefined
  let lookedAtMs: number | undefined
  let hasFailed = false
  let looking: Promise<LocalJWKSet | undefined> | undefined

  const ageMs = (sinceMs: number | undefined): number =>
    sinceMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() - sinceMs

  const look = async (): Promise<LocalJWKSet | undefined> => {
    try {
      const keys = createLocalJWKSet(parseKeySet(await read()))
      kept = { keys, atMs: clock.monotonicMs() }
      hasFailed = false
      return keys
    } catch (error) {
      hasFailed = true
      logger.warn({ err: error }, 'the keys of the identity provider could not be had')
      return undefined
    } finally {
      lookedAtMs = clock.monotonicMs()
      looking = undefined
    }
  }

  const lookAgain = (afterMs: number): Promise<LocalJWKSet | undefined> => {
    const isSoon = ageMs(lookedAtMs) < (hasFailed ? backoffMs : afterMs)
    if (looking === undefined && isSoon) return Promise.resolve(undefined)
    looking ??= look()
    return looking
  }

  return {
    async current() {
      if (kept !== undefined && ageMs(kept.atMs) < freshMs) return kept.keys
      const keys = await lookAgain(0)
      if (keys !== undefined) return keys
      if (kept !== undefined && ageMs(kept.atMs) < staleMs) return kept.keys
      throw new AegisError(
        'unavailable',
        'oidc.unavailable',
        'The node cannot get the keys of its identity provider, so it lets nobody in with a token of that. Ask again later, or use a token of the node; its log says what failed.',
      )
    },
    newer: () => lookAgain(cooldownMs),
  }
}

const keySchema = z.looseObject({ kty: z.string() })
const keySetSchema = z.object({ keys: z.array(keySchema).max(maxKeys) })

/** Its public keys; what else stands in a set is left out. */
function parseKeySet(value: unknown): JSONWebKeySet {
  const { keys } = keySetSchema.parse(value)
  return { keys: keys.filter(({ kty }) => ['RSA', 'EC', 'OKP'].includes(kty)) }
}
