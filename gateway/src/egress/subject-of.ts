import { isIPv6 } from 'node:net'

/** How a host and its port are written in records, and in the rules of a manifest. */
export const subjectOf = (host: string, port: number): string =>
  `${isIPv6(host) ? `[${host}]` : host}:${port}`
