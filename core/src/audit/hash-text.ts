import type { Sha256 } from './merkle-hash.ts'

/** `sha256:<hex>` of a text in UTF-8: stands in entries for what they must not hold. */
export function hashText(text: string, sha256: Sha256): string {
  const digest = sha256(utf8.encode(text))
  return `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

const utf8 = new TextEncoder()
