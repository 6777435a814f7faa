import { AegisError, type Authentication } from '@aegis/core'
import type { FastifyRequest } from 'fastify'
import { callOf } from './call.ts'

/** Longer ones are nobody's: a JWT with many groups still fits. */
const maxTokenCharacters = 8192

/** The token of a request. @throws AegisError `unauthenticated` / `token.absent`, `token.wrong` */
export function bearerToken(request: FastifyRequest): string {
  const call = callOf(request)
  const header = request.headers.authorization
  if (header === undefined) {
    call.refused = 'absent'
    throw new AegisError(
      'unauthenticated',
      'token.absent',
      'This needs a token: send Authorization: Bearer <token>. The node keeps one in a file in its AEGIS_HOME, which aegis reads by itself; an admin makes others with aegis token create.',
    )
  }
  const token = /^bearer +([\x21-\x7e]+)$/i.exec(header)?.[1]
  if (token !== undefined && token.length <= maxTokenCharacters) return token
  call.refused = 'malformed'
  throw wrong()
}

/** What the caller is told: the same whatever is wrong with the token. */
export function refuseToken({
  refused,
  name,
}: Extract<Authentication, { readonly refused: unknown }>): AegisError {
  if (refused !== 'no-role') return wrong()
  return new AegisError(
    'denied',
    'access.no-role',
    `${JSON.stringify(name ?? 'This caller')} has no role on this node. An admin can give one to a group of the identity provider: spec.security.access.oidc.roles`,
  )
}

const wrong = (): AegisError =>
  new AegisError(
    'unauthenticated',
    'token.wrong',
    'The token opens nothing on this node: it is none of its own, expired or revoked. Read the token file in the AEGIS_HOME of the node again, or ask an admin for another one: aegis token create',
  )
