import { Document, Scalar, visit } from 'yaml'
import { withoutUndefined } from './without-undefined.ts'

/** Plain data as YAML in block style, without anchors; `readYaml` reads the same data from it. */
export function formatYaml(data: unknown): string {
  const document = new Document(withoutUndefined(data), { aliasDuplicateObjects: false })
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && !isPlainBlock(scalar.value)) {
        scalar.type = Scalar.QUOTE_DOUBLE
      }
    },
  })
  return document.toString({ lineWidth: 0 })
}

/**
 * Whether a text of several lines survives as a literal block. Lines of white space alone, at the
 * beginning above all, and what editors show as nothing are safer in quotes.
 */
function isPlainBlock(text: string): boolean {
  if (!text.includes('\n')) return true
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a block cannot hold
  const unsafe = /^\s|[^\S\n]$|\n\n$|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/
  return !unsafe.test(text) && !/^[^\S\n]+$/m.test(text)
}
