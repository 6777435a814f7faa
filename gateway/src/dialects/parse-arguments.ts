/** Arguments of a tool call as the object that some protocols want; what is none is wrapped. */
export function parseArguments(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json || '{}')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
    return { value }
  } catch {
    return { text: json }
  }
}
