/**
 * Milliseconds that a provider asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as an
 * HTTP date (RFC 9110, 10.2.3). Absent or unreadable: `undefined`; in the past: 0.
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  now: Date,
): number | undefined {
  const exact = wait(headers['retry-after-ms'])
  if (exact !== undefined) return exact
  const seconds = wait(headers['retry-after'])
  if (seconds !== undefined) return seconds * 1000
  const date = headers['retry-after']
  // A weekday begins every form of an HTTP date; Date.parse alone would read nearly anything.
  if (typeof date !== 'string' || !/^[A-Z][a-z]{2,8},? /.test(date)) return undefined
  const at = Date.parse(date)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime())
}

function wait(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string' || !/^\d{1,12}(\.\d{1,6})?$/.test(value.trim())) return undefined
  return Number(value)
}
