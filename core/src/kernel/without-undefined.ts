/** A copy without the keys that hold `undefined`, at every level. */
export function withoutUndefined<Data>(data: Data): Data
export function withoutUndefined(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(withoutUndefined)
  if (typeof data !== 'object' || data === null) return data
  const entries = Object.entries(data).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutUndefined(value)]))
}
