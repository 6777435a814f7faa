import { createHash } from 'node:crypto'

/**
 * A vector for a text without a model: each word and each pair of neighbours adds to a place that
 * its hash picks, so texts that share words are near. Length 1; the same text, the same vector.
 */
export function embedText(text: string, dimensions = 256): readonly number[] {
  const vector = new Float64Array(dimensions)
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  for (const [index, word] of words.entries()) {
    addTo(vector, word, 1)
    const next = words[index + 1]
    if (next !== undefined) addTo(vector, `${word} ${next}`, 0.5)
  }
  if (words.length === 0) addTo(vector, text, 1)
  const length = Math.hypot(...vector)
  return Array.from(vector, (value) => (length === 0 ? 0 : value / length))
}

function addTo(vector: Float64Array, feature: string, weight: number): void {
  const hash = createHash('sha256').update(feature).digest()
  const place = hash.readUInt32LE(0) % vector.length
  const sign = (hash[4] ?? 0) & 1 ? 1 : -1
  vector[place] = (vector[place] ?? 0) + sign * weight
}
