import { toHex } from '../kernel/hex.ts'
import type { Sha256 } from './merkle-hash.ts'

/** `sha256:<hex>` of a text in UTF-8: stands in entries for what they must not hold. */
export function hashText(text: string, sha256: Sha256): string {
  return `sha256:${toHex(sha256(utf8.encode(text)))}`
}

const utf8 = new TextEncoder()
