import stringWidth from 'string-width'

/** At most `columns` of a text without colours; what is missing shows as `…`. */
export function cut(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text
  let short = ''
  for (const character of text) {
    if (stringWidth(short + character) > columns - 1) break
    short += character
  }
  return `${short}…`
}
