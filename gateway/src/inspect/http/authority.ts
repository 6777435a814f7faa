import { canonicalHost } from '../../egress/canonical-host.ts'
import { subjectOf } from '../../egress/subject-of.ts'

/** Whom a request is meant for. */
export interface Origin {
  readonly scheme: 'http' | 'https'
  /** Canonical. */
  readonly host: string
  readonly port: number
}

export const defaultPort = (scheme: Origin['scheme']): number => (scheme === 'https' ? 443 : 80)

/**
 * Reads `host` or `host:port`, as a Host header and a URL have it: no user, nothing else. Undefined
 * for whatever different programs could read differently.
 */
export function parseAuthority(
  text: string,
  portOfNone: number | undefined,
): { readonly host: string; readonly port: number } | undefined {
  const [, host, digits] = /^(\[[^\]]*\]|[^:@/?#\\]*)(?::(\d{1,5}))?$/.exec(text) ?? []
  const port = digits === undefined ? portOfNone : Number(digits)
  if (host === undefined || port === undefined || port < 1 || port > 65535) return undefined
  const canonical = canonicalHost(host)
  return canonical.kind === 'refused' ? undefined : { host: canonical.host, port }
}

/** As a Host header names it. */
export const authorityOf = ({ scheme, host, port }: Origin): string =>
  port === defaultPort(scheme) ? subjectOf(host, port).replace(/:\d+$/, '') : subjectOf(host, port)

export const sameOrigin = (
  one: { readonly host: string; readonly port: number },
  other: { readonly host: string; readonly port: number },
): boolean => one.host === other.host && one.port === other.port
