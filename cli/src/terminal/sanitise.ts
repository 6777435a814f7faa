/**
 * Makes text that an agent wrote safe to show: whatever could move the cursor, change colours, set
 * a title, hide or reorder what follows is shown as an escape (`\x1b`, `\u202e`) instead. Line
 * feeds and tabs stay; `\r\n` becomes `\n`.
 */
export function sanitise(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(unsafe, escapeOf)
}

/** As `sanitise`, for a place that has just one line: a table cell, an error message. */
export function sanitiseLine(text: string): string {
  return sanitise(text).replaceAll('\n', '\\n').replaceAll('\t', ' ')
}

/** JSON with the same characters escaped the way JSON has for it, so that it still reads back. */
export function stringifySafely(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(unsafeInJson, (character) =>
    Array.from({ length: character.length }, (_, index) => jsonEscape(character, index)).join(''),
  )
}

// C0 but \t and \n, DEL, C1; marks that reorder or hide text ("Trojan Source", CVE-2021-42574), but
// not the joiners that emoji and Persian need; line and paragraph separator; tags; half pairs.
const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is its job
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Bidi_Control}\p{Surrogate}\u200b\u2028\u2029\u2060-\u2064\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

// JSON.stringify escapes C0 and lone surrogates itself, and its own line feeds must stay.
const unsafeInJson =
  /[\x7f-\x9f\p{Bidi_Control}\u200b\u2028\u2029\u2060-\u2064\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`
}

function jsonEscape(text: string, index: number): string {
  return `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
}
