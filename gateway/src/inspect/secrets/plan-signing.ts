import type { ExecutionSecret } from '@aegis/core'
import { type Headers, valuesOf } from '../http/header-list.ts'
import { requestFault } from '../http/request-fault.ts'
import type { PlaceholderScanner } from '../placeholder-scanner.ts'
import { parseSigV4, type SigV4Claim, sha256, signSigV4 } from './sigv4.ts'

/** The part of a request in which secrets may stand. */
export interface Injectable {
  readonly target: string
  readonly headers: Headers
}

/** A request that an agent signed with a placeholder, and that is to be signed with the key. */
export interface Signing {
  readonly secret: ExecutionSecret
  readonly needsBody: boolean
  /** Whether this header is written anew. */
  owns(name: string): boolean
  /** The headers with the signature. */
  sign(method: string, request: Injectable, body: Uint8Array): Headers
}

const sessionTokenHeader = 'x-amz-security-token'
const payloadHeader = 'x-amz-content-sha256'

/**
 * Undefined for a request that is not signed with the placeholder of a secret made for that.
 * @throws AegisError `invalid` / `secret.sigv4` where it is, in a way that cannot be signed again
 */
export function planSigning(
  { target, headers }: Injectable,
  bound: readonly ExecutionSecret[],
  scanner: PlaceholderScanner,
): Signing | undefined {
  const signers = bound.filter(({ places }) => places.includes('sigv4'))
  const [authorization = '', ...more] = valuesOf(headers, 'authorization')
  const presigned = /[?&]X-Amz-Credential=/i.test(target) ? scanner.find(target) : undefined
  if (presigned !== undefined && signers.includes(presigned)) {
    throw unsigned(
      'The signature stands in the URL; only one in the header Authorization is made anew.',
    )
  }
  const secret = signers.find(({ placeholder }) => authorization.includes(placeholder))
  if (secret === undefined || !authorization.startsWith('AWS4-')) return undefined
  const claim = parseSigV4(authorization)
  if (more.length > 0 || claim?.accessKeyId !== secret.placeholder) {
    throw unsigned('The header Authorization has not the form of AWS4-HMAC-SHA256.')
  }
  const amzDate = one(headers, 'x-amz-date')
  if (!/^\d{8}T\d{6}Z$/.test(amzDate) || !amzDate.startsWith(claim.date)) {
    throw unsigned('It has no x-amz-date of the day that it is signed for.')
  }
  const payload = one(headers, payloadHeader)
  if (payload.startsWith('STREAMING-AWS4-')) {
    throw unsigned(
      'Its body is signed piece by piece; send it with a hash of the whole body, or with UNSIGNED-PAYLOAD.',
    )
  }
  return {
    secret,
    needsBody: payload === '',
    owns: (name) => ['authorization', sessionTokenHeader].includes(name.toLowerCase()),
    sign(method, request, body) {
      const [accessKeyId, secretAccessKey, sessionToken] = keyOf(secret)
      const others = request.headers.filter(
        ([name]) => !['authorization', sessionTokenHeader].includes(name.toLowerCase()),
      )
      const signed: Headers =
        sessionToken === undefined ? others : [...others, [sessionTokenHeader, sessionToken]]
      const payloadHash = payload === '' ? sha256(body) : payload
      const value = signSigV4(
        { method, target: request.target, headers: signed, payloadHash },
        { ...claim, signedHeaders: signedNames(claim, signed, sessionToken !== undefined) },
        amzDate,
        { accessKeyId, secretAccessKey },
      )
      return [...signed, ['Authorization', value]]
    },
  }
}

/** Those that the agent signed and that are still there. */
function signedNames(
  { signedHeaders }: SigV4Claim,
  headers: Headers,
  withToken: boolean,
): string[] {
  const names = new Set(['host', ...signedHeaders, ...(withToken ? [sessionTokenHeader] : [])])
  return [...names].filter((name) => valuesOf(headers, name).length > 0).sort()
}

/** `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]` */
function keyOf({ name, value }: ExecutionSecret): [string, string, string | undefined] {
  const [, id, key, token] = /^([!-9;-~]+):([!-9;-~]+)(?::([!-~]+))?$/.exec(value.reveal()) ?? []
  if (id !== undefined && key !== undefined) return [id, key, token]
  throw requestFault('invalid', 'secret.unfit', `The value of ${name} is no key of AWS.`, {
    status: 502,
    remedy:
      'Set it as ACCESS_KEY_ID:SECRET_ACCESS_KEY or ACCESS_KEY_ID:SECRET_ACCESS_KEY:SESSION_TOKEN.',
  })
}

function one(headers: Headers, name: string): string {
  const [value = '', ...more] = valuesOf(headers, name)
  if (more.length > 0) throw unsigned(`It has ${name} more than once.`)
  return value.trim()
}

const unsigned = (why: string) =>
  requestFault('invalid', 'secret.sigv4', `The request cannot be signed with the secret: ${why}`, {
    remedy: 'Sign with the placeholder as access key id and as secret access key.',
    record: 'secret.use',
  })
