/** SHA-256 (FIPS 180-4) without the platform, for fakes: slow, and the same everywhere. */
export function pureSha256(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((data.length + 9) / 64) * 64)
  padded.set(data)
  padded[data.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(padded.length - 8, BigInt(data.length) * 8n)
  const state = Uint32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)))
  const words = new Uint32Array(64)
  for (let block = 0; block < padded.length; block += 64) {
    for (let at = 0; at < 16; at += 1) words[at] = view.getUint32(block + 4 * at)
    for (let at = 16; at < 64; at += 1) {
      words[at] =
        word(words, at - 16) +
        (rotate(word(words, at - 15), 7) ^
          rotate(word(words, at - 15), 18) ^
          (word(words, at - 15) >>> 3)) +
        word(words, at - 7) +
        (rotate(word(words, at - 2), 17) ^
          rotate(word(words, at - 2), 19) ^
          (word(words, at - 2) >>> 10))
    }
    compress(state, words)
  }
  const digest = new Uint8Array(32)
  const out = new DataView(digest.buffer)
  for (const [at, value] of state.entries()) out.setUint32(4 * at, value)
  return digest
}

function compress(state: Uint32Array, words: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let round = 0; round < 64; round += 1) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const one = (h + s1 + ((e & f) ^ (~e & g)) + word(constants, round) + word(words, round)) | 0
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0]
  }
  for (const [at, value] of [a, b, c, d, e, f, g, h].entries()) {
    state[at] = word(state, at) + value
  }
}

function primes(count: number): number[] {
  const found: number[] = []
  for (let candidate = 2; found.length < count; candidate += 1) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate)
  }
  return found
}

/** The first 32 bits behind the point. */
const fraction = (value: number): number => Math.floor((value % 1) * 2 ** 32)

const constants = Uint32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)))

const word = (words: Uint32Array, at: number): number => words[at] ?? 0

const rotate = (value: number, by: number): number => (value >>> by) | (value << (32 - by))
