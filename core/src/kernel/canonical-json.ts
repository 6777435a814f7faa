/**
 * JSON with one spelling for equal values, after RFC 8785: keys in the order of their UTF-16 code
 * units, no spaces, numbers and texts as JSON.stringify writes them. What JSON cannot hold is
 * treated as there: `undefined` is left out, or `null` in a list.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonicalJson(value.toJSON())
  const members: Readonly<Record<string, unknown>> = { ...value }
  let text = ''
  // Without a comparison of its own, sort goes by code units.
  for (const key of Object.keys(members).sort()) {
    const member = members[key]
    if (member === undefined) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`
  }
  return `{${text}}`
}
