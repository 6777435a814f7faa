/** Entries one behind the other, each after its length in 16 bits, the larger byte first. */
export function formatBundle(bodies: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(bodies.reduce((sum, body) => sum + 2 + body.length, 0))
  let at = 0
  for (const body of bodies) {
    if (body.length > 0xffff) throw new RangeError(`An entry of ${body.length} bytes`)
    bundle[at] = body.length >> 8
    bundle[at + 1] = body.length & 0xff
    bundle.set(body, at + 2)
    at += 2 + body.length
  }
  return bundle
}

/** The entries of a bundle, as many as are whole; `rest` counts the bytes that make up no entry. */
export function readBundle(bundle: Uint8Array): {
  readonly bodies: readonly Uint8Array[]
  readonly rest: number
} {
  const bodies: Uint8Array[] = []
  let at = 0
  for (;;) {
    const [high, low] = bundle.subarray(at, at + 2)
    if (high === undefined || low === undefined) break
    const end = at + 2 + high * 256 + low
    if (end > bundle.length) break
    bodies.push(bundle.subarray(at + 2, end))
    at = end
  }
  return { bodies, rest: bundle.length - at }
}
