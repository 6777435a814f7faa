/** The parts of DER that a certificate is made of (ITU-T X.690). */

export const sequence = (...parts: Uint8Array[]) => element(0x30, ...parts)
export const set = (...parts: Uint8Array[]) => element(0x31, ...parts)
export const octetString = (content: Uint8Array) => element(0x04, content)
export const utf8String = (text: string) => element(0x0c, Buffer.from(text))
export const boolean = (value: boolean) => element(0x01, Buffer.of(value ? 0xff : 0))

/** `[tag]` of constructed content. */
export const tagged = (tag: number, ...parts: Uint8Array[]) => element(0xa0 | tag, ...parts)

/** `[tag]` of primitive content, in place of its own type. */
export const implicit = (tag: number, content: Uint8Array) => element(0x80 | tag, content)

/** Never negative: `bytes` is read without a sign. */
export function integer(bytes: Uint8Array): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  const digits = start < 0 ? Buffer.of(0) : bytes.subarray(start)
  const first = digits[0] ?? 0
  return element(0x02, ...(first >= 0x80 ? [Buffer.of(0)] : []), digits)
}

/** Of whole bytes, unless `unusedBits` of the last one say nothing. */
export const bitString = (bytes: Uint8Array, unusedBits = 0) =>
  element(0x03, Buffer.of(unusedBits), bytes)

/** `1.2.840.10045.4.3.2` */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return element(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)))
}

/** Until 2049 in the short form, as RFC 5280 (4.1.2.5) asks. */
export function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, '')
  return at.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(text.slice(2)))
    : element(0x18, Buffer.from(text))
}

function base128(value: number): number[] {
  const digits = [value & 0x7f]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    digits.unshift(0x80 | (rest & 0x7f))
  }
  return digits
}

function element(tag: number, ...parts: Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.of(tag, ...lengthOf(length)), ...parts])
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const digits: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest & 0xff)
  return [0x80 | digits.length, ...digits]
}
