const mark = ' …[cut]'

/** `text`, or its beginning and a mark where it is longer than `maxBytes` of UTF-8. */
export function clipText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text
  const room = maxBytes - Buffer.byteLength(mark)
  const bytes = Buffer.from(text.slice(0, room)).subarray(0, room)
  // A character cut in half decodes to U+FFFD, which is taken off again.
  return bytes.toString('utf8').replace(/\ufffd+$/, '') + mark
}
