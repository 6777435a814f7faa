/** Colours by what they mean; each takes text that is safe already. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  warning(text: string): string
  bad(text: string): string
  accent(text: string): string
}

export function makeStyle(colour: boolean): Style {
  const paint = (code: number) => (text: string) =>
    colour && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text
  return {
    bold: paint(1),
    dim: paint(2),
    good: paint(32),
    warning: paint(33),
    bad: paint(31),
    accent: paint(36),
  }
}
