/** How a host and its port are written in records, and in the rules of a manifest. */
export const subjectOf = (host: string, port: number): string =>
  `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
