import type { ExecutionSecret } from '@aegis/core'
import { entryCovers } from '../entry-covers.ts'
import type { Origin } from '../http/authority.ts'
import type { Headers } from '../http/header-list.ts'
import type { PlaceholderScanner } from '../placeholder-scanner.ts'

/** The secrets that may be sent to this host. Over TLS alone: a rule without a port means 443. */
export const secretsBoundTo = (
  secrets: readonly ExecutionSecret[],
  { scheme, host, port }: Origin,
): readonly ExecutionSecret[] =>
  scheme === 'https'
    ? secrets.filter(({ hosts }) => hosts.some((entry) => entryCovers(entry, host, port, [443])))
    : []

/**
 * The headers without credentials that are not ours: at a host that a secret is bound to, an agent
 * acts as the owner of that secret and as nobody else.
 */
export const withoutForeignCredentials = (headers: Headers, scanner: PlaceholderScanner): Headers =>
  headers.filter(
    ([name, value]) =>
      !credentialHeaders.has(name.toLowerCase()) || scanner.find(value) !== undefined,
  )

const credentialHeaders = new Set([
  'authorization',
  'cookie',
  'x-api-key',
  'api-key',
  'x-api-token',
  'x-auth-token',
  'x-access-token',
  'x-auth-key',
  'x-amz-security-token',
  'x-goog-api-key',
  'x-goog-iam-authorization-token',
  'x-ms-authorization-auxiliary',
  'ocp-apim-subscription-key',
  'private-token',
  'job-token',
  'x-gitlab-token',
  'x-github-token',
  'x-vault-token',
  'x-shopify-access-token',
  'x-figma-token',
  'dd-api-key',
  'dd-application-key',
])
