/** How many bytes have arrived at a moment of a clock that counts milliseconds. */
export interface DownloadSample {
  readonly atMs: number
  readonly bytes: number
}

/** Older samples say nothing about how fast it is now. */
const windowMs = 5000

/** The samples that count from now on. Fewer bytes than before: the download began anew. */
export function addSample(
  samples: readonly DownloadSample[],
  sample: DownloadSample,
): readonly DownloadSample[] {
  const last = samples.at(-1)
  if (last === undefined || sample.bytes < last.bytes || sample.atMs < last.atMs) return [sample]
  return [...samples.filter(({ atMs }) => sample.atMs - atMs <= windowMs), sample]
}

/** Bytes a second over the samples; undefined while they span no time. */
export function rateOf(samples: readonly DownloadSample[]): number | undefined {
  const [first, last] = [samples.at(0), samples.at(-1)]
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined
  return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000
}
