/** What a guest or a monitor said, for people: in one line, without control characters, bounded. */
export function disarm(text: string, most = 1000): string {
  const harmless = text.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return harmless.length <= most ? harmless : `… ${harmless.slice(-most)}`
}
