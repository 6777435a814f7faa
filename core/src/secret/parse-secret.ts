import * as z from 'zod'
import { agentName, secretName } from '../agent/manifest-schema.ts'
import { networkEntry } from '../agent/manifest-security.ts'
import { parseNetworkEntry } from '../agent/network-entry.ts'
import { checkInput } from '../kernel/check-input.ts'
import { knownKeys, rule } from '../kernel/field.ts'
import { type Finding, inputError, quote } from '../kernel/input-error.ts'
import type { Secret } from '../kernel/secret.ts'
import { readValue } from '../kernel/source-document.ts'
import { withoutUndefined } from '../kernel/without-undefined.ts'
import { type SecretFacts, secretPlaces } from './secret-vault.ts'

/** Bytes of a value in UTF-8. */
export const minSecretBytes = 8
export const maxSecretBytes = 64 * 1024

/** What cannot be mistaken for something else: a key of AWS must be asked for. */
const defaultPlaces = secretPlaces.filter((place) => place !== 'sigv4')

const agent = () => z.union([z.literal('*'), agentName()])

const host = () =>
  networkEntry().superRefine(
    rule((text) => {
      const entry = parseNetworkEntry(text)
      const isBroad =
        !('message' in entry) && entry.kind === 'suffix' && !entry.suffix.includes('.')
      if (!isBroad) return undefined
      return {
        message: `${quote(text)} would send it to whoever registers a name there.`,
        remedy: 'Name the hosts that it is for, like *.example.com.',
      }
    }),
  )

const list = <Item extends z.ZodType<string, string>>(item: Item) =>
  z
    .array(item)
    .min(1)
    .max(100)
    .transform((items) => [...new Set(items)])

const factsSchema = knownKeys({
  name: secretName(),
  agents: list(agent()),
  hosts: list(host()),
  places: list(z.enum(secretPlaces)).default([...defaultPlaces]),
})

/**
 * The scope of a secret that is to be kept.
 * @throws AegisError `invalid` / `secret.invalid`
 */
export function parseSecretFacts(facts: Readonly<Record<string, unknown>>): SecretFacts {
  return checkInput(factsSchema, readValue(withoutUndefined(facts)), {
    code: 'secret.invalid',
    freeMaps: [],
  })
}

/**
 * Checks that a value can stand where its secret may be put. No message shows any of it.
 * @throws AegisError `invalid` / `secret.invalid`
 */
export function checkSecretValue(value: Secret, { places }: Pick<SecretFacts, 'places'>): void {
  const text = value.reveal()
  const finding = checkSize(text) ?? checkHeader(text, places) ?? checkSigV4(text, places)
  if (finding !== undefined) throw inputError('secret.invalid', [{ path: 'value', ...finding }])
}

function checkSize(text: string): Finding | undefined {
  const bytes = new TextEncoder().encode(text).length
  if (bytes === 0) return { message: 'It is empty.', remedy: 'Give the value of the secret.' }
  if (bytes < minSecretBytes) {
    return {
      message: `It is shorter than ${minSecretBytes} bytes, and would be cut out of answers that hold it by chance.`,
      remedy: 'Use a longer one.',
    }
  }
  if (bytes > maxSecretBytes) {
    return {
      message: `It has ${bytes} bytes.`,
      remedy: `Use at most ${maxSecretBytes}; a file is not a secret.`,
    }
  }
  return text.isWellFormed()
    ? undefined
    : { message: 'It is not valid Unicode.', remedy: 'Encode it as base64.' }
}

/** A header ends at a line break, loses the space around it, and means nothing beyond ASCII. */
function checkHeader(text: string, places: SecretFacts['places']): Finding | undefined {
  if (!places.some((place) => place === 'header' || place === 'bearer')) return undefined
  const remedy = 'Limit where it may stand to basic and query: --place basic --place query.'
  if (!/^[\t -~]*$/.test(text)) {
    return {
      message: 'It holds a line break or a character beyond ASCII, which no header can.',
      remedy,
    }
  }
  if (text === text.trim()) return undefined
  return { message: 'It begins or ends with a space, which a header would lose.', remedy }
}

function checkSigV4(text: string, places: SecretFacts['places']): Finding | undefined {
  if (!places.includes('sigv4')) return undefined
  if (/^[\w.-]{8,128}:[!-9;-~]{8,512}(:[!-9;-~]{8,8192})?$/.test(text)) return undefined
  return {
    message: 'It is not a key of AWS, as sigv4 needs.',
    remedy: 'Write the access key id and the secret key as ID:SECRET, or ID:SECRET:TOKEN.',
  }
}
