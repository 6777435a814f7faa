/** One of several texts, of which any may stand at this place. */
export interface Token {
  /** Equal tokens have equal keys. */
  readonly key: string
  /** By their first byte; each at least one byte long. */
  readonly byFirst: ReadonlyMap<number, readonly Uint8Array[]>
}

/** A way in which a text may be written: each token in turn. */
export type Form = readonly Token[]

/**
 * The ways in which programs write a text into requests and answers: as it is, and with any of its
 * characters escaped as in URLs, JSON or HTML; in base64, wherever it stands in what was encoded; and
 * in hexadecimal. `anyCase`: in capitals and small letters alike.
 */
export function formsOf(text: string, { anyCase = false } = {}): readonly Form[] {
  const bytes = Buffer.from(text)
  if (bytes.length === 0) return []
  const escaped = [...text].map(keeping((character) => escapedToken(character, anyCase)))
  // So few bytes would be found by chance.
  if (bytes.length < shortestEncoded) return [escaped]
  const hexadecimal = [...bytes.toString('hex')].map(
    keeping((digit) => tokenOf([digit, digit.toUpperCase()])),
  )
  return [escaped, hexadecimal, base64Form(bytes, 0), base64Form(bytes, 1), base64Form(bytes, 2)]
}

const shortestEncoded = 4

function escapedToken(character: string, anyCase: boolean): Token {
  const spellings = anyCase ? [character.toLowerCase(), character.toUpperCase()] : [character]
  return tokenOf(spellings.flatMap(spellingsOf))
}

function spellingsOf(character: string): string[] {
  const code = character.codePointAt(0) ?? 0
  const percent = [...Buffer.from(character)].map((byte) => hexCases(byte, 2).map((x) => `%${x}`))
  const unicode =
    [...character].length === character.length
      ? hexCases(code, 4).map((x) => `\\u${x}`)
      : hexPairs(character)
  const letter = /^[A-Za-z0-9]$/.test(character)
  return [
    character,
    ...(percent.length === 1 ? percent.flat() : joinedCases(percent)),
    ...unicode,
    ...(jsonEscapes[character] ?? []),
    ...(letter ? [] : [`&#${code};`, ...hexCases(code, 1).map((x) => `&#x${x};`)]),
    ...(htmlNames[character] ?? []),
    ...(character === ' ' ? ['+'] : []),
  ]
}

const jsonEscapes: Readonly<Record<string, readonly string[]>> = {
  '"': ['\\"'],
  '\\': ['\\\\'],
  '/': ['\\/'],
  '\n': ['\\n'],
  '\r': ['\\r'],
  '\t': ['\\t'],
  '\b': ['\\b'],
  '\f': ['\\f'],
}

const htmlNames: Readonly<Record<string, readonly string[]>> = {
  '&': ['&amp;'],
  '<': ['&lt;'],
  '>': ['&gt;'],
  '"': ['&quot;'],
  "'": ['&apos;'],
}

/** `4b`, `4B`: every mix of capitals and small letters. */
function hexCases(value: number, digits: number): string[] {
  const text = value.toString(16).padStart(digits, '0')
  return [...text].reduce<string[]>(
    (starts, digit) =>
      starts.flatMap((start) =>
        [...new Set([digit, digit.toUpperCase()])].map((each) => start + each),
      ),
    [''],
  )
}

/** Of characters in several bytes: all in small letters, or all in capitals. */
const joinedCases = (parts: readonly (readonly string[])[]): string[] => [
  parts.map((part) => part[0]?.toLowerCase()).join(''),
  parts.map((part) => part[0]?.toUpperCase()).join(''),
]

/** Beyond the first plane JSON has two escapes for a character. */
function hexPairs(character: string): string[] {
  const units = [...Array(character.length).keys()].map((at) => character.charCodeAt(at))
  const text = units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
  return [text, text.toUpperCase().replaceAll('\\U', '\\u')]
}

/**
 * In base64, `before` bytes after the start of a group of three. A character that holds bits of a
 * neighbour too may be any of those that agree in the bits of this text.
 */
function base64Form(bytes: Buffer, before: number): Form {
  const start = before * 8
  const end = start + bytes.length * 8
  const form: Token[] = []
  const tokenFor = keeping(base64Token)
  for (let at = Math.floor(start / 6); at * 6 < end; at++) {
    let known = 0
    let mask = 0
    for (let bit = at * 6; bit < at * 6 + 6; bit++) {
      const inside = bit >= start && bit < end
      const byte = inside ? (bytes[(bit - start) >> 3] ?? 0) : 0
      known = (known << 1) | ((byte >> (7 - ((bit - start) & 7))) & 1)
      mask = (mask << 1) | (inside ? 1 : 0)
    }
    form.push(tokenFor(`${known} ${mask}`))
  }
  return form
}

/** All characters that agree with `known` where `mask` has a bit. */
function base64Token(knownAndMask: string): Token {
  const [known = 0, mask = 0] = knownAndMask.split(' ').map(Number)
  const values = [...Array(64).keys()].filter((value) => (value & mask) === (known & mask))
  return tokenOf(values.flatMap((value) => base64Characters(value)))
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** The last two differ in URLs, and may be escaped there. */
function base64Characters(value: number): readonly string[] {
  if (value === 62) return ['+', '-', '%2B', '%2b', '\\u002b', '\\u002B']
  if (value === 63) return ['/', '_', '%2F', '%2f', '\\/']
  return [alphabet.charAt(value)]
}

function tokenOf(texts: readonly string[]): Token {
  const byFirst = new Map<number, Uint8Array[]>()
  for (const text of new Set(texts)) {
    const bytes = Buffer.from(text)
    const first = bytes[0] ?? 0
    byFirst.set(first, [...(byFirst.get(first) ?? []), bytes])
  }
  return { key: texts.join('\n\n'), byFirst }
}

/** A text has few different characters, however long it is. */
function keeping<Value>(make: (key: string) => Value): (key: string) => Value {
  const kept = new Map<string, Value>()
  return (key) => {
    const value = kept.get(key) ?? make(key)
    kept.set(key, value)
    return value
  }
}
