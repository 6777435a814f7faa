/** What a server may take a path for. Each has to be permitted. */
export interface PathReadings {
  /** As it is written, with letters, digits and `-._~` never escaped, escapes in capitals. */
  readonly written: string
  /** Others that lenient servers come to: escaped slashes taken for slashes, for example. */
  readonly lenient: readonly string[]
}

/**
 * Reads the path of a request, without its query. Undefined for one that cannot be told what it
 * names: with dot segments in any disguise, broken escapes or control characters.
 */
export function readPath(path: string): PathReadings | undefined {
  if (!/^\/[!-~]*$/.test(path) || /[#?]/.test(path) || /%(?![0-9A-Fa-f]{2})/.test(path)) {
    return undefined
  }
  const written = plain(path)
  const separated = separate(written)
  if (separated === undefined || hidden.test(separated) || hasDotSegment(separated))
    return undefined
  const merged = separated.replace(/\/{2,}/g, '/')
  const bare = merged.replace(/;[^/]*/g, '')
  if (hasDotSegment(bare)) return undefined
  return { written, lenient: [...new Set([merged, bare])].filter((each) => each !== written) }
}

/** No escape where none is needed (RFC 3986, 6.2.2). */
const plain = (path: string): string =>
  path.replace(/%[0-9A-Fa-f]{2}/g, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase()
  })

/**
 * Slashes, semicolons and what needs no escape, escaped once or more, as what they are. Undefined for
 * escapes of escapes without end.
 */
function separate(path: string): string | undefined {
  let text = path
  for (let turn = 0; turn < deepest; turn++) {
    const before = text
    text = plain(text.replace(/%25(?=[0-9A-Fa-f]{2})/g, '%'))
      .replace(/%2F|%5C|\\/g, '/')
      .replace(/%3B/g, ';')
    if (text === before) return text
  }
  return undefined
}

const deepest = 5

/** Control characters, and longer spellings of a dot or a slash that are no UTF-8. */
const hidden = /%(?:[01][0-9A-F]|7F|C[01])|%E0%[89]|%F0%8/i

/** `..;x` is one to some servers. */
const hasDotSegment = (path: string): boolean =>
  path.split('/').some((segment) => /^\.{1,2}(;|$)/.test(segment))
