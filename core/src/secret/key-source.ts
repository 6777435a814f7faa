import { checkEnvName } from '../kernel/field.ts'
import { type Finding, quote } from '../kernel/input-error.ts'

/** Where the key that encrypts secrets comes from. */
export type KeySource =
  | { readonly kind: 'file' }
  /** 32 bytes in base64. */
  | { readonly kind: 'env'; readonly variable: string }
  /** Any text; the key is derived from it. */
  | { readonly kind: 'passphrase'; readonly variable: string }

/** Reads `file`, `env:NAME` or `passphrase:env:NAME`. Returns what is wrong where it is none. */
export function parseKeySource(text: string): KeySource | Finding {
  if (text === 'file') return { kind: 'file' }
  const [, passphrase, variable] = /^(passphrase:)?env:(.*)$/s.exec(text) ?? []
  if (variable === undefined) {
    return {
      message: `${quote(text)} is not where a key comes from.`,
      remedy: 'Write file, env:NAME or passphrase:env:NAME.',
    }
  }
  // Agents may not use these names, and this is not for agents.
  const finding = checkEnvName(variable.replace(/^AEGIS_/i, 'A_'))
  if (finding !== undefined) return finding
  return { kind: passphrase === undefined ? 'env' : 'passphrase', variable }
}

export function formatKeySource(source: KeySource): string {
  switch (source.kind) {
    case 'file':
      return 'file'
    case 'env':
      return `env:${source.variable}`
    case 'passphrase':
      return `passphrase:env:${source.variable}`
  }
}
